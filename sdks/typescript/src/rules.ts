/** What usage is grouped by. */
export type GroupBy = GroupBySandbox | GroupByTag;

/** Usage is grouped by sandbox. */
export interface GroupBySandbox {
  /** The dimension. */
  readonly kind: "sandbox";
}

/** Usage is grouped by the values of a tag. */
export interface GroupByTag {
  /** The dimension. */
  readonly kind: "tag";
  /** The tag's key. */
  readonly key: string;
}

/** What a cursor holds: the last item of a page, and what pins the walk (all of it or nothing). */
export interface Cursor {
  /** The item's sort value, GB-seconds. */
  readonly v: number;
  /** The item's tag value or sandbox id, which breaks ties. */
  readonly t: string;
  /** The item's exact sort value, MB × µs, as a decimal number. */
  readonly s?: string;
  /** Start of the window. */
  readonly from?: string;
  /** End of the window. */
  readonly to?: string;
  /** When running sandboxes are measured. */
  readonly asOf?: string;
  /** A digest of the query. */
  readonly q?: string;
}
