//! The document at `/openapi.json`, built from the core's codes, limits and wire types, so that it cannot fall behind them.

mod examples;
mod operation;
mod paths;
mod schemas;

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use opencomputer_usage_core::Code;
use serde_json::{Map, Value, json};

static DOCUMENT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", build()));

const DESCRIPTION: &str = "Attributes the spend of cloud sandboxes to the customer's own tags. Amounts are \
    **GB-seconds** (binary: 1 GB = 1024 MB), and every sum adds up to the billing rollup. A key goes in `X-API-Key` or \
    in `Authorization: Bearer` and decides the organisation.";

/// The document as `/openapi.json` serves it and `docs/openapi.json` keeps it.
#[must_use]
pub fn document() -> &'static str {
    &DOCUMENT
}

/// `GET /openapi.json`
pub(super) async fn show() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}

fn build() -> Value {
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "OpenComputer usage API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "apiKey": [] }, { "bearer": [] }],
        "tags": [
            { "name": "usage", "description": "What was used, and by whom" },
            { "name": "tags", "description": "The tags that usage is attributed by" },
            { "name": "sandboxes", "description": "Sandbox reads" },
            { "name": "operations", "description": "For those who run the server; no key is asked for" },
        ],
        "paths": paths::all(),
        "components": {
            "securitySchemes": {
                "apiKey": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
                "bearer": { "type": "http", "scheme": "bearer" },
            },
            "parameters": paths::parameters(),
            "headers": operation::headers(),
            "schemas": schemas::all(),
            "responses": each_code(|code| operation::refusal(&[code])),
            "examples": each_code(examples::error),
        },
    })
}

fn each_code(of: impl Fn(Code) -> Value) -> Map<String, Value> {
    Code::ALL.iter().map(|&code| (code.as_str().to_owned(), of(code))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every value of a document, at whatever depth.
    fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Value)) {
        visit(value);
        match value {
            Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
            Value::Object(members) => members.values().for_each(|member| walk(member, visit)),
            _ => (),
        }
    }

    fn operations(document: &Value) -> impl Iterator<Item = &Value> {
        let paths = document["paths"].as_object().unwrap().values();
        paths.flat_map(|path| path.as_object().unwrap().values())
    }

    #[test]
    fn the_file_in_docs_is_the_same() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == document(), "run `cargo run -p opencomputer-usage-server -- openapi >docs/openapi.json`");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = build();
        walk(&document, &mut |value| {
            if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
                assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
            }
        });
    }

    #[test]
    fn every_code_stands_under_its_status() {
        let document = build();
        let mut seen = BTreeSet::new();
        for operation in operations(&document) {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let response = match response.get("$ref").and_then(Value::as_str) {
                    Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
                    None => response,
                };
                let examples = response["content"]["application/json"]["examples"].as_object();
                for code in examples.into_iter().flatten().map(|(name, _)| name.as_str()) {
                    if let Some(code) = Code::ALL.iter().find(|known| known.as_str() == code) {
                        assert_eq!(code.status().to_string(), *status);
                        seen.insert(code.as_str());
                    }
                }
            }
        }
        assert_eq!(seen, Code::ALL.iter().map(|code| code.as_str()).collect());
    }

    #[test]
    fn every_route_is_described() {
        let (source, _) = include_str!("../mod.rs").split_once("#[cfg(test)]").unwrap();
        let routes = source.split(".route(\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(path, _)| path);
        let unlisted = ["/api/sandboxes/", "/openapi.json"];
        let routes: BTreeSet<_> = routes.filter(|path| !unlisted.contains(path)).collect();
        let document = build();
        assert_eq!(routes, document["paths"].as_object().unwrap().keys().map(String::as_str).collect());
    }

    #[test]
    fn schemas_have_exactly_the_members_of_the_wire_types() {
        let document = build();
        for (name, example) in examples::wire() {
            let schema = &document["components"]["schemas"][name];
            let members = |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
            assert_eq!(members(&schema["properties"]), members(&example), "{name}");
            for required in schema["required"].as_array().unwrap() {
                assert!(example.get(required.as_str().unwrap()).is_some(), "{name}: {required}");
            }
        }
    }
}
