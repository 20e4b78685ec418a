//! Every path of the server and what it takes.

use opencomputer_usage_core::Code::{
    DuplicateFilter, DuplicateParameter, InvalidBody, InvalidCursor, InvalidFilter, InvalidGroupBy, InvalidLimit,
    InvalidSandboxId, InvalidSort, InvalidTags, InvalidTimestamp, InvalidWindow, MethodNotAllowed, MissingGroupBy,
    PayloadTooLarge, RouteNotFound, SandboxNotFound, TagsChanged, Unavailable, UnknownParameter, UnsupportedMediaType,
    WindowTooLarge,
};
use opencomputer_usage_core::limits::{DEFAULT_PAGE_LIMIT, MAX_FILTERS, MAX_PAGE_LIMIT, MAX_TAG_KEY_CHARACTERS};
use opencomputer_usage_core::query::Sort;
use serde_json::{Value, json};

use super::examples;
use super::operation::{Operation, answer};
use super::schemas::{KEY_CHARACTERS, reference};

const API: [&str; 2] = ["X-Request-Id", "Cache-Control"];
const TAGGED: [&str; 3] = ["X-Request-Id", "Cache-Control", "ETag"];

pub(super) fn all() -> Value {
    json!({
        "/api/usage": { "get": usage() },
        "/api/tags": { "get": tag_keys() },
        "/api/sandboxes": { "get": sandboxes() },
        "/api/sandboxes/{id}": { "get": sandbox() },
        "/api/sandboxes/{id}/usage": { "get": sandbox_usage() },
        "/api/sandboxes/{id}/tags": { "get": read_tags(), "put": replace_tags() },
        "/healthz": { "get": plain("health", "Whether the process is up", "ok\n", "text/plain", &[]) },
        "/readyz": { "get": plain("readiness", "Whether the database answers and has its schema", "ready\n", "text/plain", &[Unavailable]) },
        "/metrics": { "get": plain("metrics", "Metrics for Prometheus", "# EOF\n", "application/openmetrics-text", &[]) },
    })
}

pub(super) fn parameters() -> Value {
    let query = |name: &str, schema: Value, description: &str| json!({ "name": name, "in": "query", "description": description, "schema": schema });
    let dimension = format!("^(sandbox|tag:{KEY_CHARACTERS}{{1,{MAX_TAG_KEY_CHARACTERS}}})$");
    let sorts = [Sort::Memory, Sort::DiskOverage].map(Sort::as_str);
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": MAX_PAGE_LIMIT, "default": DEFAULT_PAGE_LIMIT });
    let cursor = json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$" });
    json!({
        "id": {
            "name": "id", "in": "path", "required": true, "description": "The sandbox", "example": "sb-shared",
            "schema": reference("SandboxId"),
        },
        "from": query("from", reference("Instant"), "Start of the window, inclusive; by default 30 days before `to`"),
        "to": query("to", reference("Instant"),
            "End of the window, exclusive; by default now. At most 90 days after `from`"),
        "groupBy": {
            "name": "groupBy", "in": "query", "required": true,
            "description": "`sandbox`, or `tag:<key>` split on the first `:` only",
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
        "sort": query("sort", json!({ "type": "string", "enum": sorts, "default": Sort::default().as_str() }), "The order, descending"),
        "limit": query("limit", limit, "Items of a page"),
        "cursor": query("cursor", cursor, "`nextCursor` of the page before; it brings that page's window along"),
        "If-Match": {
            "name": "If-Match", "in": "header", "schema": { "type": "string" },
            "description": "Write only if the tags are still the ones of this `ETag`. A list matches with any member, \
                `*` with any sandbox that exists, a malformed header with nothing",
            "example": "*",
        },
    })
}

const FILTER: &str = "`filter[tag:<key>]` or `filter[sandbox]`: comma-separated values, any of which matches. Different \
    filters all have to match. Empty: the sandbox lacks the tag. A value with a comma, a double quote, white space \
    around it or nothing in it stands in double quotes, inner quotes doubled.";

fn named(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| json!({ "$ref": format!("#/components/parameters/{name}") })).collect()
}

fn one(example: &Value) -> Value {
    json!({ "example": { "value": example } })
}

fn usage() -> Value {
    let schema = json!({ "oneOf": [reference("TagUsagePage"), reference("SandboxUsagePage")] });
    let examples = json!({
        "tag": { "summary": "groupBy=tag:team", "value": examples::tag_usage() },
        "sandbox": { "summary": "groupBy=sandbox", "value": examples::sandbox_usage_page() },
    });
    Operation {
        id: "getUsage",
        tag: "usage",
        summary: "Usage, grouped by a tag or by sandbox",
        description: "`total` and `untagged` cover all that matches, not only the page: `total` is the sum of all \
            `items` and `untagged`. A parameter that is not listed is refused.",
        parameters: named(&["groupBy", "filter", "from", "to", "sort", "limit", "cursor"]),
        body: None,
        answer: answer("One page of usage", &schema, &examples, &API),
        codes: vec![
            MissingGroupBy,
            InvalidGroupBy,
            InvalidFilter,
            DuplicateFilter,
            UnknownParameter,
            DuplicateParameter,
            InvalidTimestamp,
            InvalidWindow,
            WindowTooLarge,
            InvalidSort,
            InvalidLimit,
            InvalidCursor,
        ],
    }
    .render()
}

fn sandbox_usage() -> Value {
    Operation {
        id: "getSandboxUsage",
        tag: "usage",
        summary: "Usage of one sandbox",
        description: "Works for a sandbox that was torn down, too.",
        parameters: named(&["id", "from", "to"]),
        body: None,
        answer: answer("The sandbox's usage", &reference("SandboxUsage"), &one(&examples::sandbox_usage()), &API),
        codes: vec![
            InvalidSandboxId,
            UnknownParameter,
            DuplicateParameter,
            InvalidTimestamp,
            InvalidWindow,
            WindowTooLarge,
            SandboxNotFound,
            RouteNotFound,
        ],
    }
    .render()
}

fn tag_keys() -> Value {
    Operation {
        id: "getTagKeys",
        tag: "tags",
        summary: "Every tag key in use",
        description: "Ordered by the UTF-8 bytes of the key.",
        parameters: Vec::new(),
        body: None,
        answer: answer("The keys", &reference("TagKeys"), &one(&examples::tag_keys()), &API),
        codes: vec![UnknownParameter],
    }
    .render()
}

fn read_tags() -> Value {
    Operation {
        id: "getSandboxTags",
        tag: "tags",
        summary: "The tags of one sandbox",
        description: "System tags (`oc:`) are among them.",
        parameters: named(&["id"]),
        body: None,
        answer: answer("The tags", &reference("SandboxTags"), &one(&examples::sandbox_tags()), &TAGGED),
        codes: vec![InvalidSandboxId, UnknownParameter, SandboxNotFound, RouteNotFound],
    }
    .render()
}

fn replace_tags() -> Value {
    let body = json!({
        "required": true,
        "description": "All user tags the sandbox is to have; `{}` clears them",
        "content": { "application/json": { "schema": reference("UserTags"), "example": examples::user_tags() } },
    });
    Operation {
        id: "replaceSandboxTags",
        tag: "tags",
        summary: "Replace all user tags of one sandbox",
        description: "Atomic, and tags under `oc:` are never touched. With `If-Match` it makes *read, change, write \
            back* safe.",
        parameters: named(&["id", "If-Match"]),
        body: Some(body),
        answer: answer(
            "The tags that were written",
            &reference("SandboxTags"),
            &one(&examples::sandbox_tags()),
            &TAGGED,
        ),
        codes: vec![
            InvalidSandboxId,
            UnknownParameter,
            InvalidBody,
            InvalidTags,
            SandboxNotFound,
            RouteNotFound,
            TagsChanged,
            PayloadTooLarge,
            UnsupportedMediaType,
        ],
    }
    .render()
}

fn sandboxes() -> Value {
    let schema = json!({ "type": "array", "maxItems": 100, "items": reference("Sandbox") });
    Operation {
        id: "listSandboxes",
        tag: "sandboxes",
        summary: "The newest 100 running sandboxes",
        description: "One row for each, by its latest session.",
        parameters: Vec::new(),
        body: None,
        answer: answer("The sandboxes", &schema, &one(&json!([examples::sandbox()])), &API),
        codes: vec![UnknownParameter],
    }
    .render()
}

fn sandbox() -> Value {
    Operation {
        id: "getSandbox",
        tag: "sandboxes",
        summary: "One sandbox",
        description: "In whatever state its latest session is.",
        parameters: named(&["id"]),
        body: None,
        answer: answer("The sandbox", &reference("Sandbox"), &one(&examples::sandbox()), &API),
        codes: vec![InvalidSandboxId, UnknownParameter, SandboxNotFound, RouteNotFound],
    }
    .render()
}

/// An operation for those who run the server.
fn plain(
    id: &'static str,
    summary: &'static str,
    example: &str,
    media_type: &str,
    codes: &[opencomputer_usage_core::Code],
) -> Value {
    Operation {
        id,
        tag: "operations",
        summary,
        description: "Takes no key.",
        parameters: Vec::new(),
        body: None,
        answer: json!({
            "description": summary,
            "headers": { "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } },
            "content": { media_type: { "schema": { "type": "string" }, "example": example } },
        }),
        codes: [codes, &[MethodNotAllowed]].concat(),
    }
    .render_open()
}
