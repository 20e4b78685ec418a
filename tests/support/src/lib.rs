//! Reads the suites of `tests/vectors` for the Rust runners.
//!
//! The special forms (`$repeat`, `$numbered`, `$entries`, `$concat`) are expanded. A lone surrogate, which a Rust
//! string cannot contain, becomes the private-use character 2²⁰ above it; [`to_raw`] restores it.

use std::fs;
use std::path::Path;

use opencomputer_usage_core::host::value::{Raw, Text};
use serde_json::{Map, Value};

/// The offset from a lone surrogate to the private-use character that represents it.
const SHIFT: u32 = 0x10_0000;

/// A case of a suite.
#[derive(Clone, Debug)]
pub struct Case(pub Value);

impl Case {
    /// Returns the name of the case.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.get("name").and_then(Value::as_str).unwrap_or("(no name)")
    }

    /// Returns a member of the case.
    #[must_use]
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.0.get(member)
    }

    /// Returns a string member of the case.
    #[must_use]
    pub fn text(&self, member: &str) -> Option<&str> {
        self.get(member).and_then(Value::as_str)
    }

    /// Returns the code of the expected error.
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        self.get("error").and_then(|error| error.get("code")).and_then(Value::as_str)
    }
}

/// Returns all cases of a suite, such as `tags`.
///
/// # Panics
///
/// If the suite does not exist or its file is invalid.
#[must_use]
#[allow(clippy::panic, reason = "a broken suite must fail the test that reads it")]
pub fn load(suite: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../vectors/{suite}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: Value = serde_json::from_str(&shift_lone_surrogates(&text))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    match file.get("cases").cloned().map(expand) {
        Some(Value::Array(cases)) => cases.into_iter().map(Case).collect(),
        _ => panic!("{}: no `cases`", path.display()),
    }
}

/// Returns the value as a dynamic language would pass it, including lone surrogates.
#[must_use]
pub fn to_raw(value: &Value) -> Raw {
    match value {
        Value::Null => Raw::Null,
        Value::Bool(value) => Raw::Bool(*value),
        Value::Number(number) => number.as_f64().map_or(Raw::Other("an unsupported type"), Raw::Number),
        Value::String(text) => Raw::Text(to_text(text)),
        Value::Array(items) => Raw::List(items.iter().map(to_raw).collect()),
        Value::Object(members) => Raw::Map(members.iter().map(|(key, value)| (to_text(key), to_raw(value))).collect()),
    }
}

/// Returns the string as a dynamic language would pass it.
#[must_use]
pub fn to_text(text: &str) -> Text {
    Text::from_code_points(text.chars().map(|c| lone_surrogate(c).unwrap_or_else(|| c.into())))
}

/// Returns whether a value contains a lone surrogate, which a Rust program cannot write as JSON.
#[must_use]
pub fn is_broken(value: &Value) -> bool {
    let broken = |text: &str| text.chars().any(|c| lone_surrogate(c).is_some());
    match value {
        Value::String(text) => broken(text),
        Value::Array(items) => items.iter().any(is_broken),
        Value::Object(members) => members.iter().any(|(key, value)| broken(key) || is_broken(value)),
        _ => false,
    }
}

/// Serializes the value as JSON, with lone surrogates as escapes, as JavaScript writes them.
#[must_use]
pub fn to_json(value: &Value) -> String {
    value.to_string().chars().fold(String::new(), |json, c| match lone_surrogate(c) {
        Some(point) => format!("{json}\\u{point:04x}"),
        None => json + c.encode_utf8(&mut [0; 4]),
    })
}

/// Returns the tags of a map that contains only valid Unicode strings.
#[must_use]
pub fn to_pairs(tags: &Raw) -> Option<Vec<(&str, &str)>> {
    let Raw::Map(entries) = tags else { return None };
    let mut pairs = Vec::new();
    for (key, value) in entries {
        let Raw::Text(value) = value else { return None };
        pairs.push((key.as_str()?, value.as_str()?));
    }
    Some(pairs)
}

/// Compares JSON values; 1 and 1.0 are equal.
#[must_use]
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// Expands every special form in a value.
#[must_use]
pub fn expand(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(expand).collect(),
        Value::Object(members) => match single(&members) {
            Some(("$repeat", [text, count])) => text_of(text).repeat(count_of(count)).into(),
            Some(("$concat", parts)) => {
                parts.iter().cloned().map(expand).map(|part| text_of(&part).to_owned()).collect::<String>().into()
            }
            Some(("$numbered", [prefix, count, value])) => {
                let value = expand(value.clone());
                let member = |number| (format!("{}{number}", text_of(prefix)), value.clone());
                (0..count_of(count)).map(member).collect::<Map<_, _>>().into()
            }
            Some(("$entries", entries)) => entries.iter().filter_map(entry).collect::<Map<_, _>>().into(),
            _ => members.into_iter().map(|(key, value)| (key, expand(value))).collect::<Map<_, _>>().into(),
        },
        other => other,
    }
}

/// Returns the name and arguments of a special form.
fn single(members: &Map<String, Value>) -> Option<(&str, &[Value])> {
    let (name, arguments) = members.iter().next().filter(|_| members.len() == 1)?;
    Some((name, arguments.as_array()?))
}

fn entry(entry: &Value) -> Option<(String, Value)> {
    let [key, value] = entry.as_array()?.as_slice() else {
        return None;
    };
    Some((text_of(&expand(key.clone())).to_owned(), expand(value.clone())))
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn count_of(value: &Value) -> usize {
    value.as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or_default()
}

fn lone_surrogate(c: char) -> Option<u32> {
    u32::from(c).checked_sub(SHIFT).filter(|point| (0xD800..=0xDFFF).contains(point))
}

/// Replaces escapes of lone surrogates in JSON text, which serde rejects, with private-use characters.
fn shift_lone_surrogates(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let high = surrogate_escape(after);
        let low = high.and_then(|_| after.get(5..)?.strip_prefix('\\')).and_then(surrogate_escape);
        let (kept, next) = match (high, low) {
            (Some(0xD800..0xDC00), Some(0xDC00..)) => (11, after.get(11..)),
            (Some(point), _) => {
                out.extend(char::from_u32(point + SHIFT));
                rest = after.get(5..).unwrap_or_default();
                continue;
            }
            // Two bytes, so that an escaped backslash does not look like the start of an escape.
            (None, _) => (1, after.get(1..)),
        };
        out.push('\\');
        out.push_str(after.get(..kept).unwrap_or_default());
        rest = next.unwrap_or_default();
    }
    out + rest
}

/// Returns the surrogate of an escape whose backslash was already consumed.
fn surrogate_escape(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('u')?.get(..4)?;
    u32::from_str_radix(digits, 16).ok().filter(|point| (0xD800..=0xDFFF).contains(point))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_stay_and_lone_surrogates_shift() {
        let shifted = shift_lone_surrogates(r#"["\ud83d\ude00", "\ud800", "\\ud800", "\udc00\ud800x"]"#);
        let value: Value = serde_json::from_str(&shifted).unwrap();
        assert_eq!(value[0], "😀");
        assert_eq!(to_text(value[1].as_str().unwrap()), Text::Broken(vec![0xD800]));
        assert_eq!(value[2], "\\ud800");
        assert_eq!(to_text(value[3].as_str().unwrap()), Text::Broken(vec![0xDC00, 0xD800, 0x78]));
        assert_eq!(to_json(&value[3]), r#""\udc00\ud800x""#);
    }

    #[test]
    fn special_forms_expand_anywhere() {
        let value = serde_json::json!({
            "a": { "$concat": ["x", { "$repeat": ["y", 3] }] },
            "b": { "$numbered": ["k", 2, "v"] },
            "c": [{ "$entries": [[{ "$repeat": ["k", 2] }, null]] }],
        });
        let expected = serde_json::json!({ "a": "xyyy", "b": { "k0": "v", "k1": "v" }, "c": [{ "kk": null }] });
        assert_eq!(expand(value), expected);
    }

    #[test]
    fn a_suite_has_cases() {
        assert!(load("tags").len() > 50);
    }

    #[test]
    #[should_panic(expected = "no-such-suite.json")]
    fn a_suite_that_is_not_there_fails() {
        let _ = load("no-such-suite");
    }
}
