//! Every request and response body, declared once.

mod read;
mod render;
pub mod reply;
pub mod shape;
mod types;

pub use render::{ErrorBody, SandboxDetails, UsagePage};
pub use types::{
    Amounts, Sandbox, SandboxItem, SandboxTags, SandboxUsage, SandboxUsagePage, SandboxUsageTotals, TagItem,
    TagKeySummary, TagKeys, TagUsagePage, Untagged, UsagePoint,
};
