/** One sandbox. */
export function SandboxView({ id }: { readonly id: string }) {
  return <h1>{id}</h1>;
}
