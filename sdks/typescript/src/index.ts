export { UsageClient } from "./client.js";
export type { ClientOptions, Logger } from "./connection.js";
export {
  APIError,
  AuthenticationError,
  ConflictError,
  ConnectionError,
  DecodeError,
  type ErrorDetails,
  InvalidRequestError,
  NotFoundError,
  OpenComputerError,
  PermissionDeniedError,
  RateLimitError,
  ServerError,
  TagValidationError,
  TimeoutError,
  UnsupportedByServerError,
} from "./errors.js";
export {
  type SandboxUsagePoint,
  type SandboxUsageResponse,
  type TagKeyInfo,
  Tags,
  Usage,
  type UsageBySandboxResponse,
  type UsageByTagResponse,
  type UsageFilterMap,
  type UsageQueryOpts,
  type UsageSandboxItem,
  type UsageTagItem,
  type UsageUntaggedBucket,
} from "./legacy.js";
export {
  type FetchNext,
  type GroupOf,
  GroupUsagePage,
  type ListPage,
  Page,
  type PageData,
  PagePromise,
  SandboxPage,
  type SandboxPageData,
  SandboxUsagePage,
  TagUsagePage,
  TagValuePage,
  UsagePage,
} from "./page.js";
export type { SandboxesApi } from "./resources/sandboxes.js";
export { condition, type TagsApi } from "./resources/tags.js";
export type {
  Dimensions,
  GroupUsagePages,
  SandboxUsagePages,
  TagUsagePages,
  UsageApi,
  UsagePages,
  UsagePagesBy,
} from "./resources/usage.js";
export * from "./types.js";
export {
  decodeCursor,
  encodeCursor,
  formatFilter,
  formatGroupBy,
  LIMITS,
  parseFilter,
  parseGroupBy,
  userTags,
  validateTagKey,
  validateTags,
  validateTagValue,
} from "./validate.js";
export { version } from "./version.js";
