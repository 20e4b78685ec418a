//! The `OpenAPI` document, which the server serves at `/openapi.json`.

mod operation;
mod parameters;
mod schemas;

pub use operation::body;
pub use parameters::all as parameters;

use anyhow::Result;
use opencomputer_usage_core::Code;
use opencomputer_usage_core::tags::TagSet;
use opencomputer_usage_core::wire::ErrorBody;
use serde_json::{Map, Value, json};

const DESCRIPTION: &str = "Attributes the spend of cloud sandboxes to the customer's own tags. Amounts are \
    **GB-seconds** (binary: 1 GB = 1024 MB), and every sum adds up to the billing rollup. A key is sent as `X-API-Key` \
    or as `Authorization: Bearer` and determines the organization.";

const REQUEST_ID: &str = "5f0c6cf3a1a94f0e8f4d2c5b7e9a1d30";

/// Returns the text of the document.
pub fn document() -> Result<String> {
    Ok(format!("{:#}\n", build()?))
}

fn build() -> Result<Value> {
    Ok(json!({
        "x-generator": super::MARK,
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
            { "name": "usage", "description": "Usage, and the sandboxes and tags it is attributed to" },
            { "name": "tags", "description": "The tags that usage is attributed by" },
            { "name": "sandboxes", "description": "Sandbox reads" },
            { "name": "operations", "description": "For operators of the server; they take no key" },
        ],
        "paths": operation::paths()?,
        "components": {
            "securitySchemes": {
                "apiKey": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
                "bearer": { "type": "http", "scheme": "bearer" },
            },
            "parameters": parameters::all(),
            "headers": operation::headers(),
            "schemas": schemas::all()?,
            "responses": each_code(|code| operation::refusal(&[code])),
            "examples": each_code(example),
        },
    }))
}

fn each_code(of: impl Fn(Code) -> Value) -> Map<String, Value> {
    Code::ALL.iter().map(|&code| (code.as_str().to_owned(), of(code))).collect()
}

/// Returns the example of a body with this error code.
fn example(code: Code) -> Value {
    let error = match code {
        Code::InvalidTags => TagSet::from_json(br#"{"te am":"payments","oc:plan":null}"#).err(),
        _ => None,
    };
    let body = ErrorBody::new(error.unwrap_or_else(|| code.plain()), REQUEST_ID.to_owned());
    json!({ "summary": code.meaning(), "value": body })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use opencomputer_usage_core::operations::Endpoint;

    use super::*;

    /// Visits every value of a document.
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
    fn every_reference_resolves() {
        let document = build().unwrap();
        let mut references = 0;
        walk(&document, &mut |value| {
            if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
                references += 1;
                assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
            }
        });
        assert!(references > 100, "{references}");
    }

    #[test]
    fn every_code_is_listed_under_its_status() {
        let document = build().unwrap();
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
    fn every_endpoint_is_described_with_each_of_its_parameters() {
        let document = build().unwrap();
        for endpoint in Endpoint::ALL {
            let operation = &document["paths"][endpoint.path()][endpoint.method().as_str().to_lowercase()];
            let references: Vec<_> = operation["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .map(|parameter| parameter["$ref"].as_str())
                .collect();
            for name in endpoint.query().scalars.iter().chain(endpoint.query().maps) {
                assert!(references.contains(&Some(&*format!("#/components/parameters/{name}"))), "{name}");
            }
            assert!(!operation["description"].as_str().unwrap().is_empty(), "{}", endpoint.name());
        }
    }
}
