//! One operation of the document, and the answers that all of them share.

use std::collections::BTreeMap;

use opencomputer_usage_core::Code;
use serde_json::{Map, Value, json};

/// What every operation may answer that takes a key.
const COMMON: [Code; 7] = [
    Code::Unauthorized,
    Code::MethodNotAllowed,
    Code::QueryTooLong,
    Code::RateLimited,
    Code::Internal,
    Code::Unavailable,
    Code::QueryTimeout,
];

/// What the document says of one method of one path.
pub(super) struct Operation {
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<Value>,
    /// The response of status 200.
    pub(super) answer: Value,
    /// The codes of its own.
    pub(super) codes: Vec<Code>,
}

impl Operation {
    /// An operation that takes a key.
    pub(super) fn render(self) -> Value {
        let codes = self.codes.iter().chain(&COMMON).copied().collect();
        self.with_codes(codes)
    }

    /// An operation that anybody may call.
    pub(super) fn render_open(self) -> Value {
        let codes = self.codes.clone();
        let mut operation = self.with_codes(codes);
        if let Value::Object(members) = &mut operation {
            members.insert("security".to_owned(), json!([]));
        }
        operation
    }

    fn with_codes(self, codes: Vec<Code>) -> Value {
        let mut operation = json!({
            "operationId": self.id, "tags": [self.tag], "summary": self.summary, "description": self.description,
            "parameters": self.parameters,
        });
        let Value::Object(members) = &mut operation else { return operation };
        if let Some(body) = self.body {
            members.insert("requestBody".to_owned(), body);
        }
        let mut responses = Map::from_iter([("200".to_owned(), self.answer)]);
        let mut by_status = BTreeMap::<u16, Vec<Code>>::new();
        for code in codes {
            by_status.entry(code.status()).or_default().push(code);
        }
        for (status, codes) in by_status {
            let response = match codes.as_slice() {
                [code] => json!({ "$ref": format!("#/components/responses/{}", code.as_str()) }),
                codes => refusal(codes),
            };
            responses.insert(status.to_string(), response);
        }
        members.insert("responses".to_owned(), responses.into());
        operation
    }
}

/// An answer in JSON.
pub(super) fn answer(description: &str, schema: &Value, examples: &Value, headers: &[&str]) -> Value {
    json!({
        "description": description,
        "headers": named(headers),
        "content": { "application/json": { "schema": schema, "examples": examples } },
    })
}

/// The answer of one status that carries any of these codes.
pub(super) fn refusal(codes: &[Code]) -> Value {
    let names: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
    let lines: Vec<_> = codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.meaning())).collect();
    let examples: Map<_, _> = names
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "$ref": format!("#/components/examples/{name}") })))
        .collect();
    let schema = json!({ "allOf": [
        { "$ref": "#/components/schemas/Error" },
        { "type": "object", "properties": { "code": { "enum": names } } },
    ] });
    let mut headers = vec!["X-Request-Id"];
    headers.extend(codes.iter().filter_map(|code| match code {
        Code::Unauthorized => Some("WWW-Authenticate"),
        Code::MethodNotAllowed => Some("Allow"),
        Code::RateLimited => Some("Retry-After"),
        _ => None,
    }));
    answer(&lines.join("\n\n"), &schema, &examples.into(), &headers)
}

fn named(headers: &[&str]) -> Map<String, Value> {
    let reference = |name: &&str| (name.to_string(), json!({ "$ref": format!("#/components/headers/{name}") }));
    headers.iter().map(reference).collect()
}

/// The headers of answers.
pub(super) fn headers() -> Value {
    let header = |description: &str, schema: Value, example: &str| json!({ "description": description, "required": true, "schema": schema, "example": example });
    let text = || json!({ "type": "string" });
    json!({
        "X-Request-Id": header("What finds the request in the server's log; the client's own, if it sent one", text(),
            super::examples::REQUEST_ID),
        "Cache-Control": header("Answers are never stored", json!({ "const": "no-store" }), "no-store"),
        "ETag": header("A strong tag of the user tags' content, for `If-Match`",
            json!({ "type": "string", "pattern": "^\"[0-9a-f]{32}\"$" }), "\"0123456789abcdef0123456789abcdef\""),
        "Retry-After": header("Seconds to wait", json!({ "type": "string", "pattern": "^[1-9][0-9]*$" }), "1"),
        "WWW-Authenticate": header("How to give a key", json!({ "const": "Bearer" }), "Bearer"),
        "Allow": header("The methods that the route answers", text(), "GET,HEAD"),
    })
}
