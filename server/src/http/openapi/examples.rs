//! Examples: written as JSON, and passed through the types that the server answers with.

use opencomputer_usage_core::Code;
use opencomputer_usage_core::tags::TagSet;
use opencomputer_usage_core::wire::{
    ErrorBody, Sandbox, SandboxTags, SandboxUsage, SandboxUsagePage, TagKeys, TagUsagePage,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(super) const REQUEST_ID: &str = "5f0c6cf3a1a94f0e8f4d2c5b7e9a1d30";

/// The example as the type writes it; null, which a test refuses, where the type cannot read it.
fn typed<T: DeserializeOwned + Serialize>(example: &Value) -> Value {
    T::deserialize(example).and_then(serde_json::to_value).unwrap_or_default()
}

fn amounts() -> Value {
    json!({ "memoryGbSeconds": 19000.0, "diskOverageGbSeconds": 340.0 })
}

fn untagged() -> Value {
    json!({ "memoryGbSeconds": 1000.0, "diskOverageGbSeconds": 20.0, "sandboxCount": 2 })
}

fn tag_item() -> Value {
    json!({ "tagKey": "team", "tagValue": "payments", "memoryGbSeconds": 18000.0, "diskOverageGbSeconds": 320.0,
        "sandboxCount": 12 })
}

fn sandbox_item() -> Value {
    json!({ "sandboxId": "sb-abc", "alias": "my-agent", "status": "running", "tags": { "env": "prod" },
        "tagsLastUpdatedAt": "2026-04-19T14:02:00Z", "memoryGbSeconds": 8000.0, "diskOverageGbSeconds": 120.0 })
}

pub(super) fn tag_usage() -> Value {
    typed::<TagUsagePage>(&json!({
        "from": "2026-03-20T00:00:00Z", "to": "2026-04-19T00:00:00Z", "asOf": "2026-04-19T14:02:00.123456Z",
        "groupBy": "tag:team", "total": amounts(), "untagged": untagged(), "items": [tag_item()], "nextCursor": null,
    }))
}

pub(super) fn sandbox_usage_page() -> Value {
    typed::<SandboxUsagePage>(&json!({
        "from": "2026-03-20T00:00:00Z", "to": "2026-04-19T00:00:00Z", "asOf": "2026-04-19T14:02:00.123456Z",
        "groupBy": "sandbox", "total": amounts(), "items": [sandbox_item()],
        "nextCursor": "eyJ2Ijo4MDAwLjAsInQiOiJzYi1hYmMifQ",
    }))
}

pub(super) fn sandbox_usage() -> Value {
    typed::<SandboxUsage>(&json!({
        "sandboxId": "sb-abc", "alias": "my-agent", "status": "stopped", "tags": { "env": "prod" },
        "tagsLastUpdatedAt": "2026-04-19T14:02:00Z",
        "from": "2026-03-20T00:00:00Z", "to": "2026-04-19T00:00:00Z", "asOf": "2026-04-19T14:02:00.123456Z",
        "memoryGbSeconds": 8000.0, "diskOverageGbSeconds": 120.0,
        "firstStartedAt": "2026-03-22T08:00:00Z", "lastEndedAt": "2026-04-02T17:30:00Z", "totals": totals(), "points": [],
    }))
}

fn totals() -> Value {
    json!({ "memoryAllocatedGbSeconds": 8000.0, "memoryUsedGbSeconds": 0.0, "uptimeSeconds": 2000.0,
        "memoryAllocatedPeakMb": 4096, "memoryUsedPeakMb": 0 })
}

fn tag_key() -> Value {
    json!({ "key": "team", "sandboxCount": 280, "valueCount": 6 })
}

pub(super) fn tag_keys() -> Value {
    typed::<TagKeys>(&json!({ "keys": [tag_key()] }))
}

pub(super) fn sandbox_tags() -> Value {
    let tags = json!({ "env": "prod", "oc:plan": "pro", "team": "payments" });
    typed::<SandboxTags>(&json!({ "tags": tags, "tagsLastUpdatedAt": "2026-04-19T14:02:00Z" }))
}

pub(super) fn user_tags() -> Value {
    json!({ "env": "prod", "team": "payments" })
}

pub(super) fn sandbox() -> Value {
    typed::<Sandbox>(&json!({
        "sandboxID": "sb-abc", "status": "running", "region": "use2", "workerID": "w-1", "template": "base",
        "startedAt": "2026-04-19T14:00:00Z", "alias": "my-agent", "tags": { "env": "prod" },
        "tagsLastUpdatedAt": "2026-04-19T14:02:00Z",
    }))
}

/// The example of a code, as the body that carries it.
pub(super) fn error(code: Code) -> Value {
    let error = match code {
        // The core says which rules this body breaks, and how.
        Code::InvalidTags => TagSet::from_json(br#"{"te am":"payments","oc:plan":null}"#).err(),
        _ => None,
    };
    let error = error.unwrap_or_else(|| code.plain());
    let body = serde_json::to_value(ErrorBody::new(error, REQUEST_ID.to_owned())).unwrap_or_default();
    json!({ "summary": code.meaning(), "value": body })
}

/// One example of each schema that is a wire type.
#[cfg(test)]
pub(super) fn wire() -> Vec<(&'static str, Value)> {
    use opencomputer_usage_core::wire::{Amounts, SandboxItem, SandboxUsageTotals, TagItem, TagKeySummary, Untagged};
    vec![
        ("Amounts", typed::<Amounts>(&amounts())),
        ("Untagged", typed::<Untagged>(&untagged())),
        ("TagItem", typed::<TagItem>(&tag_item())),
        ("SandboxItem", typed::<SandboxItem>(&sandbox_item())),
        ("TagUsagePage", tag_usage()),
        ("SandboxUsagePage", sandbox_usage_page()),
        ("SandboxUsage", sandbox_usage()),
        ("SandboxUsageTotals", typed::<SandboxUsageTotals>(&totals())),
        ("TagKeys", tag_keys()),
        ("TagKey", typed::<TagKeySummary>(&tag_key())),
        ("SandboxTags", sandbox_tags()),
        ("Sandbox", sandbox()),
        ("Error", error(Code::InvalidTags)["value"].clone()),
        ("Violation", error(Code::InvalidTags)["value"]["violations"][0].clone()),
    ]
}
