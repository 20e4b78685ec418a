//! The schemas of bodies and parameters, with the limits of the core's table in them.

use opencomputer_usage_core::Code;
use opencomputer_usage_core::limits::{
    MAX_SANDBOX_ID_CHARACTERS, MAX_TAG_KEY_CHARACTERS, MAX_TAG_VALUE_CHARACTERS, MAX_TAGS, RESERVED_KEY_PREFIX,
};
use serde_json::{Map, Value, json};

/// What may stand in a tag key.
pub(super) const KEY_CHARACTERS: &str = "[A-Za-z0-9_.:-]";

pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An object of these members; the first `required` of them are always there.
fn object(description: &str, required: usize, members: &[(&str, Value)]) -> Value {
    let names: Vec<_> = members.iter().take(required).map(|(name, _)| *name).collect();
    let properties: Map<_, _> = members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "description": description, "required": names, "properties": properties })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn count(description: &str) -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": 0, "description": description })
}

fn amount(description: &str) -> Value {
    json!({ "type": "number", "format": "double", "minimum": 0, "description": description })
}

fn instant(description: &str) -> Value {
    let pattern = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$";
    json!({ "type": "string", "format": "date-time", "pattern": pattern, "description": description })
}

fn or_null(mut schema: Value) -> Value {
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind.take(), "null"]);
    }
    schema
}

fn list(of: &str, description: &str) -> Value {
    json!({ "type": "array", "items": reference(of), "description": description })
}

fn tag_value() -> Value {
    json!({ "type": "string", "maxLength": MAX_TAG_VALUE_CHARACTERS, "pattern": r"^[^\u0000]*$" })
}

pub(super) fn all() -> Value {
    let mut schemas = Map::new();
    for (name, schema) in inputs().into_iter().chain(usage()).chain(tags()).chain(errors()) {
        schemas.insert(name.to_owned(), schema);
    }
    schemas.into()
}

fn inputs() -> Vec<(&'static str, Value)> {
    let key = format!("^{KEY_CHARACTERS}{{1,{MAX_TAG_KEY_CHARACTERS}}}$");
    let user_key = format!("^(?!{RESERVED_KEY_PREFIX}){KEY_CHARACTERS}{{1,{MAX_TAG_KEY_CHARACTERS}}}$");
    let sandbox_id = json!({
        "type": "string", "minLength": 1, "maxLength": MAX_SANDBOX_ID_CHARACTERS,
        "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$", "not": { "enum": [".", ".."] },
        "description": "Unique within an organisation",
    });
    let tags = json!({
        "type": "object", "description": "All tags, system tags (`oc:`) among them",
        "propertyNames": { "pattern": key }, "additionalProperties": tag_value(),
    });
    let user_tags = json!({
        "type": "object", "maxProperties": MAX_TAGS, "propertyNames": { "pattern": user_key },
        "description": "Tags as a user may set them", "additionalProperties": tag_value(),
        "examples": [super::examples::user_tags()],
    });
    let instant = json!({
        "description": "RFC 3339 with an offset, or a date (UTC midnight)",
        "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "string", "format": "date" }],
    });
    vec![("SandboxId", sandbox_id), ("Tags", tags), ("UserTags", user_tags), ("Instant", instant)]
}

const MEMORY: &str = "Memory, in GB-seconds";
const DISK: &str = "Disk above the included 20 GB, in GB-seconds";

fn measured() -> [(&'static str, Value); 2] {
    [("memoryGbSeconds", amount(MEMORY)), ("diskOverageGbSeconds", amount(DISK))]
}

fn window() -> [(&'static str, Value); 3] {
    [
        ("from", instant("Start of the window, inclusive")),
        ("to", instant("End of the window, exclusive")),
        ("asOf", instant("When running sandboxes were measured")),
    ]
}

fn tagged() -> [(&'static str, Value); 2] {
    let updated = "When a tag value last changed; a removed tag leaves no trace";
    [("tags", reference("Tags")), ("tagsLastUpdatedAt", or_null(instant(updated)))]
}

fn named() -> [(&'static str, Value); 2] {
    let status = json!({
        "type": "string", "examples": ["running", "hibernated", "stopped", "error"],
        "description": "Of the latest session; the platform may have others than the examples",
    });
    [("alias", text("Name that the user gave, of the latest session")), ("status", status)]
}

fn usage() -> Vec<(&'static str, Value)> {
    let sandboxes = || ("sandboxCount", count("How many sandboxes"));
    let [from, to, as_of] = window();
    let [memory, disk] = measured();
    let [tags, updated] = tagged();
    let [alias, status] = named();
    let id = ("sandboxId", reference("SandboxId"));
    let total = ("total", reference("Amounts"));
    let cursor = ("nextCursor", json!({ "type": ["string", "null"], "description": "Where the next page starts" }));
    let by_tag = ("groupBy", json!({ "type": "string", "pattern": "^tag:", "description": "The dimension" }));
    let by_sandbox = ("groupBy", json!({ "const": "sandbox", "description": "The dimension" }));
    let tag_item = [
        ("tagKey", text("The key that is grouped by")),
        ("tagValue", text("The value they share")),
        memory.clone(),
        disk.clone(),
        sandboxes(),
    ];
    let sandbox_item =
        [id.clone(), tags.clone(), updated.clone(), memory.clone(), disk.clone(), alias.clone(), status.clone()];
    let tag_page = [
        from.clone(),
        to.clone(),
        as_of.clone(),
        by_tag,
        total.clone(),
        ("untagged", reference("Untagged")),
        ("items", list("TagItem", "The groups of this page")),
        cursor.clone(),
    ];
    let sandbox_page = [
        from.clone(),
        to.clone(),
        as_of.clone(),
        by_sandbox,
        total,
        ("items", list("SandboxItem", "The sandboxes of this page")),
        cursor,
    ];
    let first = "Start of the first session that meets the window, clamped into it";
    let last = "End of the last session that meets the window, clamped into it; null while one is open";
    let drilldown = [
        id,
        tags,
        updated,
        from,
        to,
        as_of,
        memory.clone(),
        disk.clone(),
        ("firstStartedAt", or_null(instant(first))),
        ("lastEndedAt", or_null(instant(last))),
        ("totals", reference("SandboxUsageTotals")),
        (
            "points",
            json!({ "type": "array", "maxItems": 0, "description": "Empty: usage over time is not available yet" }),
        ),
        alias,
        status,
    ];
    vec![
        ("Amounts", object("Amounts of the two metrics", 2, &measured())),
        ("Untagged", object("Usage of the sandboxes that lack the tag", 3, &[memory, disk, sandboxes()])),
        ("TagItem", object("Usage of the sandboxes that share one value of a tag", 5, &tag_item)),
        ("SandboxItem", object("Usage of one sandbox", 5, &sandbox_item)),
        ("TagUsagePage", object("Usage by tag", 8, &tag_page)),
        ("SandboxUsagePage", object("Usage by sandbox", 7, &sandbox_page)),
        ("SandboxUsage", object("Usage of one sandbox over a window", 12, &drilldown)),
        ("SandboxUsageTotals", totals()),
    ]
}

fn totals() -> Value {
    let members = [
        ("memoryAllocatedGbSeconds", amount("Allocated memory, in GB-seconds")),
        ("memoryUsedGbSeconds", amount("Measured memory, in GB-seconds; 0 without samples")),
        ("uptimeSeconds", amount("Time during which memory was allocated; time that several events share counts once")),
        ("memoryAllocatedPeakMb", count("The largest allocation, in MB of 2²⁰ bytes")),
        ("memoryUsedPeakMb", count("The most memory that was measured, in MB of 2²⁰ bytes; 0 without samples")),
    ];
    object("What the sandbox had allocated and used, clipped to the window under every accounting rule", 5, &members)
}

fn tags() -> Vec<(&'static str, Value)> {
    let key = [
        ("key", text("The key")),
        ("sandboxCount", count("How many sandboxes have it")),
        ("valueCount", count("How many different values it has")),
    ];
    let [tags, updated] = tagged();
    let [alias, status] = named();
    let sandbox = [
        ("sandboxID", reference("SandboxId")),
        status,
        ("region", text("Where it runs")),
        ("workerID", text("The worker it runs on")),
        ("template", text("What it was made from")),
        ("startedAt", instant("When its latest session started")),
        alias,
        tags,
        updated,
    ];
    let keys = [("keys", list("TagKey", "Every key in use, ordered by its UTF-8 bytes"))];
    vec![
        ("TagKeys", object("The tag keys of the organisation", 1, &keys)),
        ("TagKey", object("One key in use", 3, &key)),
        ("SandboxTags", object("The tags of one sandbox", 2, &tagged())),
        ("Sandbox", object("One sandbox; without `tags` where only their look-up failed", 6, &sandbox)),
    ]
}

fn errors() -> Vec<(&'static str, Value)> {
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let error = [
        ("error", text("One sentence for people: what was wrong and what is allowed")),
        ("code", json!({ "type": "string", "enum": codes, "description": "For programs" })),
        ("requestId", text("What finds the request in the server's log")),
        ("violations", list("Violation", "The first 1,000 broken tag rules, with `invalid_tags`")),
        ("violationCount", count("How many tag rules are broken in all, with `invalid_tags`")),
    ];
    let violation = [
        ("code", text("Which rule, such as `key_too_long`")),
        ("key", json!({ "type": ["string", "null"], "description": "The key at fault; null for `too_many_tags`" })),
        ("message", text("What was wrong and what is allowed")),
    ];
    vec![
        ("Error", object("Why there is no answer", 3, &error)),
        ("Violation", object("One broken tag rule", 3, &violation)),
    ]
}
