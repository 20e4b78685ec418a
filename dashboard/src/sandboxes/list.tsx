/** The sandboxes of the org. */
export function SandboxesView() {
  return <h1>Sandboxes</h1>;
}
