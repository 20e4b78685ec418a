/** Usage by group over time. */
export function UsageView() {
  return <h1>Usage</h1>;
}
