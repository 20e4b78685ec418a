//! The target for the calls of dynamic languages.

use std::collections::BTreeSet;

use opencomputer_usage_core::Code;
use opencomputer_usage_core::client::{ClientError, Event, Kind, Operation, Outcome, Request, Step, Walk};
use opencomputer_usage_core::host::json::ToJson as _;
use opencomputer_usage_core::host::value::Raw;
use opencomputer_usage_core::query::{DrilldownQuery, Parameters, SandboxesQuery, TagValuesQuery, UsageQuery};
use opencomputer_usage_core::tags::TagSet;

use crate::check::{BASE_URL, NOW_MS, begin};

/// The name of a method, a line break and its parameters as JSON.
pub fn calls(data: &[u8]) {
    let Some((name, params)) = str::from_utf8(data).ok().and_then(|text| text.split_once('\n')) else { return };
    let Ok(params) = serde_json::from_str(params).map(with_unique_keys) else { return };
    let operation = match Operation::parse(name, params.clone()) {
        Ok(operation) => operation,
        Err(error) => return is_refusal(&error),
    };
    match begin(operation.clone()).advance::<Outcome>(Event::Begin, NOW_MS, 0.0) {
        Step::Send { request, .. } => asks_for(&request, &operation),
        Step::Failed { error } => is_refusal(&error),
        step => panic!("{step:?}"),
    }
    if let Operation::Usage(_, walk) | Operation::ListTagValues(_, walk) | Operation::ListSandboxes(_, walk) =
        &operation
    {
        let again = Operation::parse(name, with_walk(params, walk));
        assert_eq!(again.as_ref(), Ok(&operation), "a walk goes on");
    }
}

/// Drops repeated keys, which maps of dynamic languages cannot have.
fn with_unique_keys(value: Raw) -> Raw {
    match value {
        Raw::List(items) => Raw::List(items.into_iter().map(with_unique_keys).collect()),
        Raw::Map(entries) => {
            let mut seen = BTreeSet::new();
            let entries = entries.into_iter().filter(|(key, _)| seen.insert(key.code_points()));
            Raw::Map(entries.map(|(key, value)| (key, with_unique_keys(value))).collect())
        }
        other => other,
    }
}

/// Checks the error of a call that is not sent.
fn is_refusal(error: &ClientError) {
    assert!(matches!(error.kind, Kind::InvalidRequest | Kind::TagValidation), "{error:?}");
    let is_known = |code: &String| Code::ALL.iter().any(|known| known.as_str() == code);
    assert!(error.code.as_ref().is_none_or(is_known), "{error:?}");
    assert!(error.status.is_none() && !error.message.is_empty());
    serde_json::from_str::<serde_json::Value>(&error.to_json()).expect("it is JSON");
}

/// Checks that a server reads the request as the call.
fn asks_for(request: &Request, operation: &Operation) {
    let Request { method, url, path, query, body, .. } = request;
    assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
    let separator = if query.is_empty() { "" } else { "?" };
    assert_eq!(*url, format!("{BASE_URL}{path}{separator}{query}"));
    assert!(path.starts_with("/api/") && !path.split('/').any(|segment| matches!(segment, "." | "..")), "{path}");
    let parameters = Parameters::decode(query);
    match operation {
        Operation::Usage(wanted, _) => assert_eq!(UsageQuery::parse(&parameters, None).as_ref(), Ok(&**wanted)),
        Operation::SandboxUsage(_, wanted) => {
            assert_eq!(DrilldownQuery::parse(&parameters, None).as_ref(), Ok(wanted));
        }
        Operation::ListTagValues(wanted, _) => {
            assert_eq!(TagValuesQuery::parse(wanted.key.clone(), &parameters).as_ref(), Ok(&**wanted));
        }
        Operation::ListSandboxes(wanted, _) => assert_eq!(SandboxesQuery::parse(&parameters).as_ref(), Ok(&**wanted)),
        Operation::SetTags(_, tags, condition) => {
            let body = body.as_deref().unwrap_or_default();
            assert_eq!(TagSet::from_json(body.as_bytes()).as_ref(), Ok(tags));
            let header = request.headers.iter().find(|(name, _)| name == "if-match").map(|(_, value)| value);
            assert_eq!(header, condition.as_ref());
        }
        Operation::ListTagKeys | Operation::GetTags(_) | Operation::UpdateTags(_) | Operation::GetSandbox(_) => {
            assert!(query.is_empty());
        }
    }
    assert_eq!((*method == "PUT", method.len()), (matches!(operation, Operation::SetTags(..)), 3));
    assert_eq!(body.is_some(), *method == "PUT");
}

/// Returns the parameters with the state of a walk as text.
fn with_walk(params: Raw, walk: &Walk) -> Raw {
    let mut params = if let Raw::Map(params) = params { params } else { Vec::new() };
    let text = walk.to_string();
    match params.iter_mut().find(|(name, _)| name.as_str() == Some("walk")) {
        Some((_, value)) => *value = Raw::from(text.as_str()),
        None => params.push(("walk".into(), text.as_str().into())),
    }
    Raw::Map(params)
}
