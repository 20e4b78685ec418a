import type { Before } from "./before.js";
import type { Count, Loaded } from "./report.js";

/** The parts of the view: the report, and the data that is loaded after it. */
export interface Parts {
  readonly data: Loaded;
  readonly before: Before | undefined;
  /** True if the window before could not be loaded. */
  readonly hasFailedBefore: boolean;
  readonly count: Count;
}
