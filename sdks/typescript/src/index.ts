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
} from "./errors.js";
export { Tags, Usage } from "./legacy.js";
export {
  type PageData,
  PagePromise,
  SandboxUsagePage,
  TagUsagePage,
  UsagePage,
} from "./page.js";
export type { SandboxesApi } from "./resources/sandboxes.js";
export type { TagsApi } from "./resources/tags.js";
export type { UsageApi } from "./resources/usage.js";
export type * from "./types.js";
export {
  decodeCursor,
  encodeCursor,
  formatFilter,
  formatGroupBy,
  LIMITS,
  parseFilter,
  parseGroupBy,
  validateTagKey,
  validateTags,
  validateTagValue,
} from "./validate.js";
export { version } from "./version.js";
