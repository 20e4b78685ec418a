//! The schemas of bodies, from the core's wire types and limits.

use anyhow::{Context as _, Result};
use opencomputer_usage_core::Code;
use opencomputer_usage_core::limits::{
    MAX_GROUP_BY_DIMENSIONS, MAX_SANDBOX_ID_CHARACTERS, MAX_TAG_KEY_CHARACTERS, MAX_TAG_VALUE_CHARACTERS, MAX_TAGS,
    RESERVED_KEY_PREFIX,
};
use opencomputer_usage_core::wire::DESCRIPTIONS;
use opencomputer_usage_core::wire::describe::{Description, MemberDescription, Presence};
use opencomputer_usage_core::wire::shape::Shape;
use serde_json::{Map, Value, json};

use crate::generate::text::{name, sentences, sentences_if_sent};

/// The characters of a tag key.
pub(super) const KEY_CHARACTERS: &str = "[A-Za-z0-9_.:-]";

pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Returns an object with one more member.
pub(super) fn with(mut object: Value, name: &str, value: Value) -> Value {
    if let Value::Object(members) = &mut object {
        members.insert(name.to_owned(), value);
    }
    object
}

/// Returns every schema by its name.
pub(super) fn all() -> Result<Value> {
    let mut schemas: Map<_, _> = inputs().into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    for description in DESCRIPTIONS.iter().copied().flatten() {
        let schema = object(description).with_context(|| description.name.to_owned())?;
        schemas.insert(name(description).to_owned(), schema);
    }
    Ok(schemas.into())
}

pub(super) fn user_tags() -> Value {
    json!({ "env": "prod", "team": "payments" })
}

fn inputs() -> [(&'static str, Value); 5] {
    let key = format!("^{KEY_CHARACTERS}{{1,{MAX_TAG_KEY_CHARACTERS}}}$");
    let user_key = format!("^(?!{RESERVED_KEY_PREFIX}){KEY_CHARACTERS}{{1,{MAX_TAG_KEY_CHARACTERS}}}$");
    let value = json!({ "type": "string", "maxLength": MAX_TAG_VALUE_CHARACTERS, "pattern": r"^[^\u0000]*$" });
    let sandbox_id = json!({
        "type": "string", "minLength": 1, "maxLength": MAX_SANDBOX_ID_CHARACTERS,
        "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$", "not": { "enum": [".", ".."] },
        "description": "Unique within an organization",
    });
    let tags = json!({
        "type": "object", "description": "All tags, including system tags (`oc:`)",
        "propertyNames": { "pattern": key }, "additionalProperties": value,
    });
    let user_tags = json!({
        "type": "object", "maxProperties": MAX_TAGS, "propertyNames": { "pattern": user_key },
        "description": "Tags that a user may set", "additionalProperties": value, "examples": [user_tags()],
    });
    let instant = json!({
        "description": "RFC 3339 with an offset, or a date: the start of that day in `timezone`",
        "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "string", "format": "date" }],
    });
    let group = json!({
        "type": "object", "description": "The value of each dimension, null where the sandboxes lack it",
        "minProperties": 1, "maxProperties": MAX_GROUP_BY_DIMENSIONS,
        "additionalProperties": { "type": ["string", "null"], "maxLength": MAX_TAG_VALUE_CHARACTERS },
    });
    [("SandboxId", sandbox_id), ("Group", group), ("Tags", tags), ("UserTags", user_tags), ("Instant", instant)]
}

fn object(description: &Description) -> Result<Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for member in description.members {
        properties.insert(member.name.to_owned(), property(description, member)?);
        if !matches!(member.presence, Presence::Omitted | Presence::WithInterval) {
            required.push(member.name);
        }
    }
    let docs = sentences(description.docs);
    Ok(json!({ "type": "object", "description": docs, "required": required, "properties": properties }))
}

/// Returns the schema of a member, as this project's server sends it.
fn property(description: &Description, member: &MemberDescription) -> Result<Value> {
    let shape = match (&member.shape, member.presence) {
        (Shape::Nullable(shape), Presence::Always | Presence::Omitted | Presence::WithInterval) => *shape,
        (shape, _) => shape,
    };
    let property = schema(shape, member).with_context(|| member.name.to_owned())?;
    let docs = sentences_if_sent(member);
    let property = with(property, "description", json!(docs.trim_end_matches('.')));
    Ok(match (description.name, member.name) {
        (_, "status") => with(property, "examples", json!(["running", "hibernated", "stopped", "error"])),
        ("TagUsagePage", "groupBy") => with(property, "pattern", json!("^tag:[^,]+$")),
        ("GroupUsagePage", "groupBy") => with(property, "pattern", json!("^(tag:[^,]+,|template|region|status)")),
        ("SandboxUsagePage", "groupBy") => with(property, "const", json!("sandbox")),
        ("ErrorBody", "code") => with(property, "enum", Code::ALL.iter().map(|code| code.as_str()).collect()),
        _ => property,
    })
}

fn schema(shape: &Shape, member: &MemberDescription) -> Result<Value> {
    Ok(match shape {
        Shape::Text if member.field == "sandbox_id" => reference("SandboxId"),
        Shape::Text => json!({ "type": "string" }),
        Shape::Tags => reference("Tags"),
        Shape::Group => reference("Group"),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Count => json!({ "type": "integer", "format": "int64", "minimum": 0 }),
        Shape::Number => json!({ "type": "number", "format": "double", "minimum": 0 }),
        Shape::Time => {
            let pattern = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$";
            json!({ "type": "string", "format": "date-time", "pattern": pattern })
        }
        Shape::List(shape) => json!({ "type": "array", "items": schema(shape, member)? }),
        Shape::Object(_) => reference(name(member.object.context("an object has no description")?)),
        Shape::Nullable(shape) => {
            let mut schema = schema(shape, member)?;
            let kind = schema.get_mut("type").context("a reference cannot be null")?;
            *kind = json!([kind.take(), "null"]);
            schema
        }
    })
}

#[cfg(test)]
mod tests {
    use opencomputer_usage_core::wire::{
        ErrorBody, GroupUsageItem, GroupUsagePage, Sandbox, SandboxTagsBody, SandboxUsage, SandboxUsageItem,
        SandboxUsagePage, SandboxUsageTotals, TagKey, TagKeys, TagUsageItem, TagUsagePage, TagValue, TagValues,
        UntaggedUsage, UsageBucket, UsagePoint, UsageSeries, UsageTotals,
    };
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::generate::text::{described, example};

    /// Reads the example of a type and writes it again.
    fn typed<T: DeserializeOwned + Serialize>(name: &str) -> (Value, Value) {
        let example = example(described(name).unwrap()).unwrap();
        let written = serde_json::to_value(serde_json::from_value::<T>(example.clone()).unwrap()).unwrap();
        (example, written)
    }

    #[test]
    fn examples_are_values_of_their_types() {
        let all = [
            typed::<UsageTotals>("UsageTotals"),
            typed::<UntaggedUsage>("UntaggedUsage"),
            typed::<UsageSeries>("UsageSeries"),
            typed::<UsageBucket>("UsageBucket"),
            typed::<TagUsageItem>("TagUsageItem"),
            typed::<GroupUsageItem>("GroupUsageItem"),
            typed::<GroupUsagePage>("GroupUsagePage"),
            typed::<SandboxUsageItem>("SandboxUsageItem"),
            typed::<TagUsagePage>("TagUsagePage"),
            typed::<SandboxUsagePage>("SandboxUsagePage"),
            typed::<SandboxUsage>("SandboxUsage"),
            typed::<SandboxUsageTotals>("SandboxUsageTotals"),
            typed::<UsagePoint>("UsagePoint"),
            typed::<TagKeys>("TagKeys"),
            typed::<TagKey>("TagKey"),
            typed::<TagValues>("TagValues"),
            typed::<TagValue>("TagValue"),
            typed::<SandboxTagsBody>("SandboxTagsBody"),
            typed::<ErrorBody>("ErrorBody"),
            typed::<Sandbox>("Sandbox"),
            typed::<opencomputer_usage_core::error::TagViolation>("TagViolation"),
        ];
        assert_eq!(all.len(), DESCRIPTIONS.len());
        for (example, written) in all {
            assert_eq!(example, written);
        }
    }

    #[test]
    fn the_example_of_a_page_adds_up() {
        let page: TagUsagePage = serde_json::from_value(example(described("TagUsagePage").unwrap()).unwrap()).unwrap();
        let items: f64 = page.items.iter().map(|item| item.memory_gb_seconds).sum();
        let untagged = page.untagged.unwrap().memory_gb_seconds;
        assert!((items + untagged - page.total.memory_gb_seconds).abs() < 1e-9);
    }
}
