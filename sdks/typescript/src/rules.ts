/** The dimensions by which usage is grouped: one, or a list of several. */
export type GroupBy = GroupByDimension | GroupByDimensions;

/** One dimension by which usage is grouped. */
export type GroupByDimension = GroupBySandbox | GroupByTag | GroupBySession;

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

/** Usage is grouped by a property of the latest session of each sandbox. */
export interface GroupBySession {
  /** The dimension. */
  readonly kind: "template" | "region" | "status";
}

/** Usage is grouped by several dimensions. */
export interface GroupByDimensions {
  /** Distinguishes several dimensions from one. */
  readonly kind: "dimensions";
  /** The dimensions, in order. */
  readonly dimensions: readonly GroupByDimension[];
}

/** The content of a cursor: the last item of a page and, all or none, the members that pin the walk. */
export interface Cursor {
  /** The item's sort value in GB-seconds. */
  readonly v: number;
  /** The item's tag value or sandbox id, or the JSON text of a list of values, which breaks ties. */
  readonly t: string;
  /** The item's exact sort value in MB × µs, as a decimal number. */
  readonly s?: string;
  /** Start of the window. */
  readonly from?: string;
  /** End of the window. */
  readonly to?: string;
  /** The instant at which running sandboxes are measured. */
  readonly asOf?: string;
  /** A digest of the query. */
  readonly q?: string;
}
