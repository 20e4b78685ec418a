//! Targets for short texts: names and values of tags, ids, dimensions and filters.

use std::fmt::Write as _;

use opencomputer_usage_core::host::functions;
use opencomputer_usage_core::host::json::ToJson as _;
use opencomputer_usage_core::host::value::{Raw, Text};
use opencomputer_usage_core::query::filter::{Filter, format_filter, parse_filter};
use opencomputer_usage_core::query::{Parameters, SandboxesQuery, TagValuesQuery};
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::tags::{TagKey, accepts, validate_tag_key, validate_tag_value, validate_tags};
use opencomputer_usage_core::usage::dimension::GroupBy;
use opencomputer_usage_core::{Code, limits};
use opencomputer_usage_vectors::to_pairs;

use crate::check::{grows_at_most, rejected_with, text_of};

/// A tag key, a tag value or a sandbox id.
pub fn names(data: &[u8]) {
    let text = text_of(data);
    violations_agree(&[(text.clone(), Raw::Text(text.clone()))]);
    let Some(name) = text.as_str() else { return };
    let faults = validate_tag_key(&text);
    let fault = faults.iter().find(|fault| fault.code != "key_reserved_prefix");
    match TagKey::parse(name) {
        Ok(key) => assert_eq!((key.as_str(), fault), (name, None)),
        Err(message) => assert_eq!(Some(&message), fault.map(|fault| &fault.message)),
    }
    match TagValuesQuery::parse_key(name) {
        Ok(key) => assert_eq!(key.as_str(), name),
        Err(error) => {
            rejected_with(&[Code::InvalidTagKey], &error);
            assert!(fault.is_some() || matches!(name, "." | ".."), "{error}");
        }
    }
    match name.parse::<SandboxId>() {
        Ok(id) => assert_eq!(id.to_string().parse(), Ok(id)),
        Err(error) => rejected_with(&[Code::InvalidSandboxId], &error),
    }
}

/// Checks that the violations of a map are those of its keys and values, and that the short verdict agrees.
pub(crate) fn violations_agree(entries: &[(Text, Raw)]) {
    let tags = Raw::Map(entries.to_vec());
    let violations = validate_tags(&tags).expect("it is a map");
    let mut by_key: Vec<_> = entries.iter().collect();
    by_key.sort_by_key(|(key, _)| key.code_points());
    let mut wanted = Vec::new();
    for (key, value) in by_key {
        wanted.extend(validate_tag_key(key));
        for mut violation in validate_tag_value(value) {
            assert_eq!(violation.key, None);
            violation.key = Some(key.to_string());
            wanted.push(violation);
        }
    }
    let too_many = usize::from(entries.len() > limits::MAX_TAGS);
    assert_eq!(violations[..too_many].iter().filter(|violation| violation.code == "too_many_tags").count(), too_many);
    assert_eq!(violations[too_many..], wanted);
    assert_eq!(to_pairs(&tags).is_some_and(accepts), violations.is_empty());
}

/// A `groupBy`.
pub fn group_by(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match functions::parse_group_by(&Raw::from(&*text)) {
        Ok(shown) => {
            let shown = serde_json::from_str(&shown.to_json()).expect("it is JSON");
            assert_eq!(functions::format_group_by(&shown).as_deref(), Ok(&*text));
            let group_by: GroupBy = text.parse().expect("both ways accept it");
            assert_eq!(group_by.to_string(), text);
            assert!((1..=limits::MAX_GROUP_BY_DIMENSIONS).contains(&group_by.dimensions().len()));
        }
        Err(error) => {
            rejected_with(&[Code::MissingGroupBy, Code::InvalidGroupBy], &error);
            assert_eq!(text.parse::<GroupBy>(), Err(error));
        }
    }
}

/// The value of a filter or an exclusion.
pub fn filters(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let codes = [Code::InvalidFilter];
    match parse_filter(&text) {
        Ok(values) => {
            let written = format_filter(values.clone()).expect("its values are valid");
            grows_at_most(1, text.len(), &written);
            assert_eq!(parse_filter(&written), Ok(values));
        }
        Err(error) => rejected_with(&codes, &error),
    }
    for name in ["sandbox", "tag:team", "region"] {
        let group_by: GroupBy = name.parse().expect("it is a dimension");
        let dimension = &group_by.dimensions()[0];
        let alone = Filter::parse(dimension, &text);
        match &alone {
            Ok(filter) => assert_eq!(Filter::parse(dimension, &filter.write()).as_ref(), Ok(filter)),
            Err(error) => rejected_with(&codes, error),
        }
        // In a query, filters and exclusions have the same values.
        let mut escaped = String::new();
        for byte in text.bytes() {
            let _ = write!(escaped, "%{byte:02x}");
        }
        let query = format!("filter[{name}]={escaped}&exclude[{name}]={escaped}");
        let query = SandboxesQuery::parse(&Parameters::decode(query));
        assert_eq!(query.is_ok(), alone.is_ok(), "{alone:?} {query:?}");
        if let (Ok(query), Ok(filter)) = (query, alone) {
            assert!(query.conditions.filters.iter().eq([(dimension, &filter)]));
            assert!(query.conditions.exclusions.iter().eq([(dimension, &filter)]));
        }
    }
}
