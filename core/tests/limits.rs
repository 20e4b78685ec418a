//! The table of limits, and the messages that mention one.
#![allow(clippy::unwrap_used, reason = "a test may panic; clippy sees only its outermost function")]

use std::collections::BTreeMap;

use opencomputer_usage_core::{Code, limits};
use opencomputer_usage_vectors::load;

#[test]
fn the_table_equals_the_limits_of_the_vectors() {
    let cases = load("limits");
    let expected = cases.iter().map(|case| (case.text("limit").unwrap(), case.get("value").unwrap().as_u64().unwrap()));
    let table = limits::TABLE.iter().map(|limit| (limit.name, u64::try_from(limit.value).unwrap()));
    assert_eq!(table.collect::<BTreeMap<_, _>>(), expected.collect());
}

#[test]
fn messages_of_codes_contain_the_limits_of_the_table() {
    let named = [
        (Code::MissingGroupBy, limits::MAX_GROUP_BY_DIMENSIONS, "of"),
        (Code::InvalidGroupBy, limits::MAX_GROUP_BY_DIMENSIONS, "of"),
        (Code::WindowTooLarge, limits::MAX_WINDOW_DAYS, "days"),
        (Code::InvalidLimit, limits::MAX_PAGE_LIMIT, ""),
        (Code::PayloadTooLarge, limits::MAX_BODY_BYTES / 1_024, "KiB"),
        (Code::QueryTooLong, limits::MAX_QUERY_BYTES, "bytes"),
        (Code::QueryTimeout, limits::QUERY_BUDGET_SECONDS, "s,"),
    ];
    for (code, limit, unit) in named {
        let wanted = format!(" {limit} {unit}");
        assert!(code.meaning().contains(wanted.trim_end()), "{}: {}", code.as_str(), code.meaning());
    }
    let others = Code::ALL.iter().filter(|code| !named.iter().any(|(known, ..)| known == *code));
    for code in others {
        let meaning = code.meaning().replace("RFC 3339", "");
        // Text in backticks is a name.
        let digits = meaning.split('`').step_by(2).any(|text| text.bytes().any(|byte| byte.is_ascii_digit()));
        assert!(!digits, "{} mentions a number that is not checked: {meaning}", code.as_str());
    }
}
