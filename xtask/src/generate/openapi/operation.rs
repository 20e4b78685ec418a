//! The paths of the document, and the parts of responses that they share.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use opencomputer_usage_core::Code::{self, MethodNotAllowed, Unavailable};
use opencomputer_usage_core::limits::MAX_PAGE_LIMIT;
use opencomputer_usage_core::operations::Endpoint;
use opencomputer_usage_core::wire::describe::{Described, Description};
use opencomputer_usage_core::wire::reply::Reply;
use opencomputer_usage_core::wire::{
    GroupUsagePage, Sandbox, SandboxTagsBody, SandboxUsage, SandboxUsagePage, TagKeys, TagUsagePage, TagValues,
};
use serde_json::{Map, Value, json};

use super::schemas::{self, reference, with};
use crate::generate::text::{example, name};

/// Returns every path and its operations.
pub(super) fn paths() -> Result<Value> {
    let mut paths = Map::new();
    let mut add = |path: &str, method: &str, operation: Value| {
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods.as_object_mut().context("the methods are not an object")?.insert(method.to_lowercase(), operation);
        anyhow::Ok(())
    };
    for &endpoint in Endpoint::ALL {
        add(endpoint.path(), endpoint.method().as_str(), operation(endpoint)?)?;
    }
    let ready = "Whether the database responds, has its schema and accepts writes";
    add("/healthz", "get", plain("health", "Whether the process is up", "ok\n", "text/plain", &[]))?;
    add("/readyz", "get", plain("readiness", ready, "ready\n", "text/plain", &[Unavailable]))?;
    let metrics = plain("metrics", "Metrics for Prometheus", "# EOF\n", "application/openmetrics-text", &[]);
    add("/metrics", "get", metrics)?;
    Ok(paths.into())
}

/// Returns the operation of an endpoint.
fn operation(endpoint: Endpoint) -> Result<Value> {
    let name = endpoint.name();
    let (first, rest) = name.split_at_checked(1).context("an endpoint has no name")?;
    let (summary, description) =
        endpoint.documentation().split_once("\n\n").context("an endpoint has no description")?;
    let query = endpoint.query();
    let parameters = (["id", "key"].into_iter().filter(|name| endpoint.path().contains(&format!("{{{name}}}"))))
        .chain(query.scalars.iter().chain(query.maps).copied())
        .chain(endpoint.condition())
        .map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }));
    let operation = json!({
        "operationId": format!("{}{rest}", first.to_lowercase()),
        "tags": [tag(endpoint.path())],
        "summary": summary.trim(),
        "description": lines(description),
        "parameters": parameters.collect::<Vec<_>>(),
        "responses": responses(answer(endpoint, summary.trim())?, endpoint.codes().iter().chain(Endpoint::COMMON_CODES).copied()),
    });
    let Some(body) = endpoint.body() else { return Ok(operation) };
    let body = json!({
        "required": true,
        "description": "The new user tags, which replace the existing ones; `{}` removes all",
        "content": { "application/json": { "schema": reference(body), "example": schemas::user_tags() } },
    });
    Ok(with(operation, "requestBody", body))
}

/// Returns the area of a path.
fn tag(path: &str) -> &'static str {
    match path.rsplit('/').next() {
        Some("usage") => "usage",
        Some("tags" | "{key}") => "tags",
        _ => "sandboxes",
    }
}

/// Joins the lines of a doc comment.
fn lines(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Returns the response of status 200.
fn answer(endpoint: Endpoint, summary: &str) -> Result<Value> {
    let mut headers = vec!["X-Request-Id", "Cache-Control"];
    let mut schemas = Vec::new();
    let mut examples = Map::new();
    for &reply in endpoint.replies() {
        let description = body(reply).context("a reply has no description")?;
        let (schema, mut value) = (reference(name(description)), example(description)?);
        let name = match reply {
            Reply::TagUsage => "tag",
            Reply::GroupUsage => "several",
            Reply::SandboxUsagePage => "sandbox",
            _ => "example",
        };
        match reply {
            Reply::Tags => headers.push("ETag"),
            Reply::Sandboxes => headers.push("Link"),
            _ => {}
        }
        schemas.push(if reply == Reply::Sandboxes {
            value = json!([value]);
            json!({ "type": "array", "maxItems": MAX_PAGE_LIMIT, "items": schema })
        } else {
            schema
        });
        examples.insert(name.to_owned(), json!({ "value": value }));
    }
    let schema = match schemas.as_slice() {
        [schema] => schema.clone(),
        schemas => json!({ "oneOf": schemas }),
    };
    Ok(response(summary, &schema, &examples.into(), &headers))
}

/// Returns the type of a reply's body, or of each item of its list.
pub const fn body(reply: Reply) -> Option<&'static Description> {
    match reply {
        Reply::TagUsage => TagUsagePage::<String>::DESCRIPTION,
        Reply::GroupUsage => <GroupUsagePage>::DESCRIPTION,
        Reply::SandboxUsagePage => SandboxUsagePage::<String>::DESCRIPTION,
        Reply::SandboxUsage => SandboxUsage::<String>::DESCRIPTION,
        Reply::TagKeys => TagKeys::<String>::DESCRIPTION,
        Reply::TagValues => TagValues::<String>::DESCRIPTION,
        Reply::Tags => <SandboxTagsBody>::DESCRIPTION,
        Reply::Sandboxes | Reply::Sandbox => Sandbox::<String>::DESCRIPTION,
    }
}

/// Returns an operation that takes no key.
fn plain(id: &str, summary: &str, example: &str, media_type: &str, codes: &[Code]) -> Value {
    let answer = json!({
        "description": summary,
        "headers": named(&["X-Request-Id"]),
        "content": { media_type: { "schema": { "type": "string" }, "example": example } },
    });
    json!({
        "operationId": id, "tags": ["operations"], "summary": summary, "description": "Takes no key.",
        "parameters": [], "security": [],
        "responses": responses(answer, codes.iter().copied().chain([MethodNotAllowed])),
    })
}

/// Returns the responses by status.
fn responses(answer: Value, codes: impl Iterator<Item = Code>) -> Value {
    let mut by_status = BTreeMap::<u16, Vec<Code>>::new();
    for code in codes {
        by_status.entry(code.status()).or_default().push(code);
    }
    let mut responses = Map::from_iter([("200".to_owned(), answer)]);
    for (status, codes) in by_status {
        let response = match codes.as_slice() {
            [code] => json!({ "$ref": format!("#/components/responses/{}", code.as_str()) }),
            codes => refusal(codes),
        };
        responses.insert(status.to_string(), response);
    }
    responses.into()
}

/// Returns a JSON response.
fn response(description: &str, schema: &Value, examples: &Value, headers: &[&str]) -> Value {
    json!({
        "description": description,
        "headers": named(headers),
        "content": { "application/json": { "schema": schema, "examples": examples } },
    })
}

/// Returns the response of one status that carries any of these codes.
pub(super) fn refusal(codes: &[Code]) -> Value {
    let names: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
    let lines: Vec<_> = codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.meaning())).collect();
    let example = |name: &&str| ((*name).to_owned(), json!({ "$ref": format!("#/components/examples/{name}") }));
    let examples: Map<_, _> = names.iter().map(example).collect();
    let schema = json!({ "allOf": [
        reference("Error"),
        { "type": "object", "properties": { "code": { "enum": names } } },
    ] });
    let mut headers = vec!["X-Request-Id"];
    headers.extend(codes.iter().filter_map(|code| match code {
        Code::Unauthorized => Some("WWW-Authenticate"),
        MethodNotAllowed => Some("Allow"),
        Code::RateLimited => Some("Retry-After"),
        _ => None,
    }));
    response(&lines.join("\n\n"), &schema, &examples.into(), &headers)
}

fn named(headers: &[&str]) -> Map<String, Value> {
    let reference = |name: &&str| (name.to_string(), json!({ "$ref": format!("#/components/headers/{name}") }));
    headers.iter().map(reference).collect()
}

/// Returns the headers of responses.
pub(super) fn headers() -> Value {
    let link = "Refers to the next page (RFC 8288), if there is one";
    let header = |description: &str, schema: Value, example: &str| json!({ "description": description, "required": true, "schema": schema, "example": example });
    let text = || json!({ "type": "string" });
    json!({
        "X-Request-Id": header("The id that finds the request in the server's log; the client's own, if it sent one",
            text(), super::REQUEST_ID),
        "Cache-Control": header("Responses are never stored", json!({ "const": "no-store" }), "no-store"),
        "ETag": header("A strong tag of the user tags' content, for `If-Match`",
            json!({ "type": "string", "pattern": "^\"[0-9a-f]{32}\"$" }), "\"0123456789abcdef0123456789abcdef\""),
        "Retry-After": header("Seconds to wait", json!({ "type": "string", "pattern": "^[1-9][0-9]*$" }), "1"),
        "WWW-Authenticate": header("How to send a key", json!({ "const": "Bearer" }), "Bearer"),
        "Link": {
            "description": link, "schema": text(), "example": "<?limit=1&cursor=eyJ0Ijoic2ItYWJjIn0>; rel=\"next\"",
        },
        "Allow": header("The methods of the path", text(), "GET,HEAD"),
    })
}
