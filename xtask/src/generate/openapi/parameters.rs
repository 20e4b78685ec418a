//! The parameters of requests.

use opencomputer_usage_core::limits::{
    DEFAULT_PAGE_LIMIT, DEFAULT_WINDOW_DAYS, MAX_FILTERS, MAX_PAGE_LIMIT, MAX_TAG_KEY_CHARACTERS, MAX_WINDOW_DAYS,
};
use opencomputer_usage_core::query::Sort;
use serde_json::{Value, json};

use super::schemas::{KEY_CHARACTERS, reference};

const FILTER: &str = "`filter[tag:<key>]` or `filter[sandbox]`: comma-separated values, any of which matches. A sandbox \
    must match every filter. An empty filter matches sandboxes that lack the tag. Put a value in double quotes if it is \
    empty, has a comma or a double quote, or starts or ends with white space; double the quotes inside it.";

/// Returns every parameter by its name.
pub(super) fn all() -> Value {
    let query = |name: &str, schema: Value, description: &str| json!({ "name": name, "in": "query", "description": description, "schema": schema });
    let dimension = format!("^(sandbox|tag:{KEY_CHARACTERS}{{1,{MAX_TAG_KEY_CHARACTERS}}})$");
    let sorts = [Sort::Memory, Sort::DiskOverage].map(Sort::as_str);
    let sort = json!({ "type": "string", "enum": sorts, "default": Sort::default().as_str() });
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": MAX_PAGE_LIMIT, "default": DEFAULT_PAGE_LIMIT });
    let cursor = json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$" });
    let from = format!("Start of the window, inclusive; by default {DEFAULT_WINDOW_DAYS} days before `to`");
    let to = format!("End of the window, exclusive; by default now. At most {MAX_WINDOW_DAYS} days after `from`");
    json!({
        "id": {
            "name": "id", "in": "path", "required": true, "description": "The sandbox", "example": "sb-shared",
            "schema": reference("SandboxId"),
        },
        "from": query("from", reference("Instant"), &from),
        "to": query("to", reference("Instant"), &to),
        "groupBy": {
            "name": "groupBy", "in": "query", "required": true,
            "description": "`sandbox`, or `tag:<key>`. The key starts after the first `:`",
            "schema": { "type": "string", "pattern": dimension },
            "examples": { "tag": { "value": "tag:team" }, "sandbox": { "value": "sandbox" } },
        },
        "filter": {
            "name": "filter", "in": "query", "style": "deepObject", "explode": true, "description": FILTER,
            "schema": {
                "type": "object", "maxProperties": MAX_FILTERS, "propertyNames": { "pattern": dimension },
                "additionalProperties": { "type": "string" },
            },
            "examples": {
                "any": { "summary": "one of two teams", "value": { "tag:team": "payments,search" } },
                "quoted": {
                    "summary": "values with a comma",
                    "value": { "tag:customer": "\"Müller & Söhne, Köln\",acme" },
                },
                "absent": { "summary": "without a team", "value": { "tag:team": "" } },
            },
        },
        "sort": query("sort", sort, "The order of the items, descending"),
        "limit": query("limit", limit, "The number of items of a page"),
        "cursor": query("cursor", cursor, "`nextCursor` of the previous page; it carries that page's window"),
        "If-Match": {
            "name": "If-Match", "in": "header", "schema": { "type": "string" },
            "description": "Write only if the current tags have this `ETag`. A list matches if any member does, `*` \
                matches any sandbox that exists, and a malformed header matches nothing",
            "example": "*",
        },
    })
}
