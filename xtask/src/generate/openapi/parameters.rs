//! The parameters of requests.

use opencomputer_usage_core::limits::{
    DEFAULT_LIST_LIMIT, DEFAULT_PAGE_LIMIT, DEFAULT_WINDOW_DAYS, MAX_EXCLUSIONS, MAX_FILTERS, MAX_GROUP_BY_DIMENSIONS,
    MAX_PAGE_LIMIT, MAX_TAG_KEY_CHARACTERS, MAX_TAG_VALUE_CHARACTERS, MAX_TIME_ZONE_CHARACTERS, MAX_WINDOW_DAYS,
};
use opencomputer_usage_core::query::{Sort, State};
use opencomputer_usage_core::usage::interval::Interval;
use serde_json::{Value, json};

use super::schemas::{KEY_CHARACTERS, reference};

const FILTER: &str = "`filter[<dimension>]`: comma-separated values, any of which matches. A sandbox must match every \
    filter. An empty filter matches sandboxes that lack the dimension. Put a value in double quotes if it is empty, has \
    a comma or a double quote, or starts or ends with white space; double the quotes inside it.";

const EXCLUDE: &str = "`exclude[<dimension>]`: comma-separated values, written as in a filter. A sandbox with any of \
    them is dropped; one that lacks the dimension is kept. An empty exclusion drops sandboxes that lack the dimension.";

/// Returns every parameter by its name.
pub fn all() -> Value {
    let query = |name: &str, schema: Value, description: &str| json!({ "name": name, "in": "query", "description": description, "schema": schema });
    let combined = format!("(tag:{KEY_CHARACTERS}{{1,{MAX_TAG_KEY_CHARACTERS}}}|template|region|status)");
    let dimension = format!("^(sandbox|{combined})$");
    // The lookahead rejects a dimension that is there twice.
    let more = MAX_GROUP_BY_DIMENSIONS - 1;
    let group_by = format!(r"^(?!(.*,)?([^,]+),(.*,)?\2(,|$))(sandbox|{combined}(,{combined}){{0,{more}}})$");
    let key = format!("^{KEY_CHARACTERS}{{1,{MAX_TAG_KEY_CHARACTERS}}}$");
    let sorts = [Sort::Memory, Sort::DiskOverage].map(Sort::as_str);
    let sort = json!({ "type": "string", "enum": sorts, "default": Sort::default().as_str() });
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": MAX_PAGE_LIMIT });
    let limits = format!(
        "The number of items of a page, from 1 to {MAX_PAGE_LIMIT}; by default {DEFAULT_PAGE_LIMIT} of usage, and \
         {DEFAULT_LIST_LIMIT} of a list"
    );
    let states = State::ALL.map(State::as_str);
    let state = json!({ "type": "string", "enum": states, "default": State::default().as_str() });
    let prefix = json!({ "type": "string", "minLength": 1, "maxLength": MAX_TAG_VALUE_CHARACTERS });
    let cursor = json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$" });
    let characters = format!("^[A-Za-z0-9_+/-]{{1,{MAX_TIME_ZONE_CHARACTERS}}}$");
    let zones = ["UTC", "Europe/Berlin", "Asia/Kathmandu"];
    let time_zone = json!({ "type": "string", "pattern": characters, "default": "UTC", "examples": zones });
    let interval = json!({ "type": "string", "enum": Interval::ALL.map(Interval::as_str) });
    let from = format!(
        "Start of the window, inclusive: RFC 3339 with an offset, or `YYYY-MM-DD`, the start of that day in `timezone`; \
         by default {DEFAULT_WINDOW_DAYS} days before `to`"
    );
    let to = format!(
        "End of the window, exclusive, in the form of `from`; by default now. At most {MAX_WINDOW_DAYS} days after `from`"
    );
    let start =
        format!("Only values that start with this text of 1 to {MAX_TAG_VALUE_CHARACTERS} characters; case-sensitive");
    json!({
        "id": {
            "name": "id", "in": "path", "required": true, "description": "The sandbox", "example": "sb-shared",
            "schema": reference("SandboxId"),
        },
        "key": {
            "name": "key", "in": "path", "required": true, "description": "The key of the tag", "example": "team",
            "schema": { "type": "string", "pattern": key, "not": { "enum": [".", ".."] } },
        },
        "from": query("from", reference("Instant"), &from),
        "to": query("to", reference("Instant"), &to),
        "timezone": query("timezone", time_zone, "The time zone of dates and buckets, by its IANA name, such as `Europe/Paris`; case-sensitive"),
        "interval": query("interval", interval, "Splits the window into buckets: `1m`, `1h`, `1d`, `1w` (ISO weeks) or `1mo`. By default, the window is not split"),
        "groupBy": {
            "name": "groupBy", "in": "query", "required": true,
            "description": format!("`sandbox`, or up to {MAX_GROUP_BY_DIMENSIONS} of `tag:<key>`, `template`, `region` \
                and `status`, separated by commas, each once. A key starts after the first `:`"),
            "schema": { "type": "string", "pattern": group_by },
            "examples": {
                "tag": { "value": "tag:team" },
                "sandbox": { "value": "sandbox" },
                "several": { "value": "tag:team,region" },
            },
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
        "exclude": {
            "name": "exclude", "in": "query", "style": "deepObject", "explode": true, "description": EXCLUDE,
            "schema": {
                "type": "object", "maxProperties": MAX_EXCLUSIONS, "propertyNames": { "pattern": dimension },
                "additionalProperties": { "type": "string" },
            },
            "examples": {
                "any": { "summary": "everything but development", "value": { "tag:env": "dev,test" } },
                "absent": { "summary": "with a team", "value": { "tag:team": "" } },
            },
        },
        "sort": query("sort", sort, "The order of the items, descending: `-memoryGbSeconds` or `-diskOverageGbSeconds`"),
        "limit": query("limit", limit, &limits),
        "cursor": query("cursor", cursor, "`nextCursor` of the previous page, or the `cursor` in its `Link`. A cursor of \
            usage contains the window"),
        "state": query("state", state, "The sandboxes to list: `running`, or `all` for those in any state"),
        "prefix": query("prefix", prefix, &start),
        "If-Match": {
            "name": "If-Match", "in": "header", "schema": { "type": "string" },
            "description": "Write only if the current tags have this `ETag`. A list matches if any member does, `*` \
                matches any sandbox that exists, and a malformed header matches nothing",
            "example": "*",
        },
    })
}
