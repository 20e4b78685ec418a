import type { Before } from "./before.js";
import type { Count, Loaded } from "./report.js";

/** What is shown of a query: the report, and what was loaded after it. */
export interface Parts {
  readonly data: Loaded;
  readonly before: Before | undefined;
  /** Whether the window before could not be loaded. */
  readonly hasFailedBefore: boolean;
  readonly count: Count;
}
