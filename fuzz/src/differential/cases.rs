//! Calls made of the inputs of the vectors, with random changes.

use std::collections::BTreeMap;

use opencomputer_usage_core::client::Answer;
use opencomputer_usage_core::host::json::ToJson as _;
use opencomputer_usage_core::host::value::{Raw, Text};
use opencomputer_usage_vectors::{Case as Vector, load, to_json, to_raw};
use serde_json::Value;

use super::call::{Call, Exchange};
use super::chance::Chance;
use super::mutate::{Pool, as_in_languages, changed};
use super::verdict::Verdict;
use super::write::json_of;
use crate::check::base64url;

/// The functions, each with the suite and the member of its inputs.
const FUNCTIONS: [(&str, &str, &str); 9] = [
    ("validateTags", "tags", "tags"),
    ("validateTagKey", "tag-key", "key"),
    ("validateTagValue", "tag-value", "value"),
    ("parseGroupBy", "group-by", "groupBy"),
    ("formatGroupBy", "group-by", "result"),
    ("parseFilter", "filter-parse", "raw"),
    ("formatFilter", "filter-format", "values"),
    ("encodeCursor", "cursors", "cursor"),
    ("decodeCursor", "cursors", "encoded"),
];

/// The parameters of the calls. Other names become options or type errors in some languages.
const PARAMETERS: [(&str, &[&str]); 11] = [
    ("usage.by", &["groupBy", "from", "to", "timezone", "interval", "filter", "exclude", "sort", "limit", "cursor"]),
    ("usage.by_tag", &["key", "from", "to", "timezone", "interval", "filter", "exclude", "sort", "limit", "cursor"]),
    ("usage.by_sandbox", &["from", "to", "timezone", "interval", "filter", "exclude", "sort", "limit", "cursor"]),
    ("usage.for_sandbox", &["sandboxId", "from", "to", "timezone", "interval"]),
    ("tags.list_keys", &[]),
    ("tags.list_values", &["key", "prefix", "limit", "cursor"]),
    ("tags.get", &["sandboxId"]),
    ("tags.set", &["sandboxId", "tags", "ifMatch"]),
    ("tags.update", &["sandboxId"]),
    ("sandboxes.list", &["filter", "state", "limit", "cursor"]),
    ("sandboxes.get", &["sandboxId"]),
];

/// Headers that the client reads.
const HEADERS: [&str; 6] = ["etag", "link", "retry-after", "x-request-id", "content-type", "set-cookie"];
const STATUSES: [u16; 18] = [200, 201, 204, 301, 304, 400, 401, 403, 404, 405, 409, 412, 418, 429, 500, 502, 503, 599];
/// Pieces of JSON that parsers read differently.
const PIECES: [&str; 22] = [
    "1e999",
    "-1e999",
    "-0",
    "-0.0",
    "1E5",
    "1e-400",
    "01",
    "1.",
    ".5",
    "+1",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "0.1000000000000000055511151231257827",
    "NaN",
    "Infinity",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"\\x41\"",
    "\u{feff}",
    "\u{a0}",
    ",",
];

/// A call and its verdict.
#[derive(Debug)]
pub struct Case {
    seed: u64,
    number: u64,
    /// The call.
    pub call: Call,
    /// The core's verdict.
    pub verdict: Verdict,
}

/// A call of the vectors and a response that belongs to it.
#[derive(Debug)]
struct Known {
    operation: String,
    params: Raw,
    response: Value,
}

/// The inputs of the vectors.
#[derive(Debug)]
pub struct Cases {
    pool: Pool,
    functions: Vec<(&'static str, &'static str, Vec<Raw>)>,
    /// Calls that fail.
    failing: Vec<Known>,
    /// Calls that succeed, by operation.
    succeeding: BTreeMap<String, Vec<Known>>,
}

impl Default for Cases {
    fn default() -> Self {
        let mut pool = Pool::default();
        let mut failing = Vec::new();
        let mut succeeding = BTreeMap::<_, Vec<_>>::new();
        for suite in ["requests", "responses", "retries", "walks"] {
            for case in load(suite) {
                for name in ["params", "response", "steps", "pages"] {
                    if let Some(value) = case.get(name) {
                        pool.add(name, value);
                    }
                }
                for known in known_calls(&case) {
                    match known.response["status"].as_u64() {
                        Some(200..300) if case.get("error").is_none() => {
                            succeeding.entry(known.operation.clone()).or_default().push(known);
                        }
                        _ => failing.push(known),
                    }
                }
            }
        }
        let inputs = |suite: &str, name: &str| {
            let cases = load(suite);
            cases.iter().filter_map(|case| case.get(name)).map(to_raw).collect()
        };
        let functions = FUNCTIONS.map(|(function, suite, member)| (function, member, inputs(suite, member))).into();
        for (_, suite, member) in FUNCTIONS {
            load(suite).iter().filter_map(|case| case.get(member)).for_each(|value| pool.add(member, value));
        }
        Self { pool, functions, failing, succeeding }
    }
}

/// Returns the calls of a case, each with one of its responses.
fn known_calls(case: &Vector) -> Vec<Known> {
    let responses: Vec<Value> = match (case.get("response"), case.get("steps"), case.get("pages")) {
        (Some(response), ..) => vec![response.clone()],
        (_, Some(Value::Array(steps)), _) | (_, _, Some(Value::Array(steps))) => {
            steps.iter().filter_map(|step| step.get("answer")).cloned().collect()
        }
        _ => vec![serde_json::json!({ "status": 418 })],
    };
    let operation = case.text("operation").unwrap_or_default();
    let params = case.get("params").map_or(Raw::Map(Vec::new()), to_raw);
    responses
        .into_iter()
        .map(|response| Known { operation: operation.to_owned(), params: params.clone(), response })
        .collect()
}

impl Cases {
    /// Makes a case.
    #[must_use]
    pub fn case(&self, seed: u64, number: u64) -> Case {
        let mut chance = Chance::new(seed, number);
        let call = loop {
            let call = if chance.percent(40) { Some(self.function(&mut chance)) } else { self.exchange(&mut chance) };
            if let Some(call) = call {
                break call;
            }
        };
        let verdict = Verdict::of(&call);
        Case { seed, number, call, verdict }
    }

    fn function(&self, chance: &mut Chance) -> Call {
        let (function, member, inputs) = chance.pick(&self.functions);
        // Most changes of a cursor's text hit its encoding, not its content.
        if *function == "decodeCursor" && chance.percent(60) {
            let mut cursor = self.pool.pick("cursor", chance).cloned().unwrap_or(Raw::Null);
            self.mutate("cursor", &mut cursor, chance);
            let text = mutated_json(json_of(&cursor).into_bytes(), chance);
            return Call::Function(function, Raw::from(base64url(&text).as_str()));
        }
        let mut input = chance.pick(inputs).clone();
        self.mutate(member, &mut input, chance);
        Call::Function(function, as_in_languages(input))
    }

    /// Changes a value a few times, or not at all.
    fn mutate(&self, name: &str, value: &mut Raw, chance: &mut Chance) {
        for _ in 0..*chance.pick(&[0, 1, 1, 1, 2, 3]) {
            self.pool.mutate(name, value, chance);
        }
    }

    /// Makes a call of the API; `None` if the languages do not offer it.
    fn exchange(&self, chance: &mut Chance) -> Option<Call> {
        let is_about_response = chance.percent(65);
        let known = if is_about_response && chance.percent(80) {
            let operations: Vec<_> = self.succeeding.values().collect();
            let known = *chance.pick(&operations);
            chance.pick(known)
        } else {
            chance.pick(&self.failing)
        };
        let mut params = known.params.clone();
        let operation =
            if is_about_response || chance.percent(70) { known.operation.as_str() } else { chance.pick(&PARAMETERS).0 };
        let (_, names) = PARAMETERS.iter().find(|(name, _)| *name == operation)?;
        let Raw::Map(members) = &mut params else { return None };
        if !is_about_response {
            for _ in 0..chance.below(3) {
                if let Some(name) = names.get(chance.below(names.len() + 1)) {
                    members.extend(self.pool.pick(name, chance).map(|value| ((*name).into(), value.clone())));
                }
            }
            self.mutate("params", &mut params, chance);
        }
        let Raw::Map(mut members) = as_in_languages(params) else { return None };
        // The methods with a query pass on names that they do not know.
        let has_query = names.len() > 3;
        members.retain(|(name, _)| name.as_str().is_some_and(|name| names.contains(&name) || has_query && name == "x"));
        if is_about_response && chance.percent(3) && has_query {
            members.push(("x".into(), Raw::Number(1.0)));
        }
        if operation == "usage.by" && !by_groups(&members) {
            return None;
        }
        let answer = self.answer(&known.response, is_about_response, chance)?;
        let mut to = self.pool.pick("to", chance)?.clone();
        if chance.percent(30) {
            self.mutate("tags", &mut to, chance);
        }
        // A callback that returns nothing is a mistake of another kind.
        let to = if matches!(to, Raw::Map(_)) { as_in_languages(to) } else { Raw::Map(Vec::new()) };
        Some(Call::Exchange(Exchange { operation: operation.to_owned(), params: Raw::Map(members), answer, to }))
    }

    fn answer(&self, response: &Value, changes: bool, chance: &mut Chance) -> Option<Answer> {
        let mut status = u16::try_from(response.get("status")?.as_u64()?).ok()?;
        let mut headers = response.get("headers").cloned().unwrap_or_default();
        let headers = headers.as_object_mut().map(std::mem::take).unwrap_or_default();
        let mut headers: Vec<(String, String)> = headers
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_ascii_lowercase(), value.as_str()?.to_owned())))
            .collect();
        let mut body = match (response.get("text").and_then(Value::as_str), response.get("body")) {
            (Some(text), _) => text.to_owned(),
            (None, Some(body)) if changes => {
                let mut body = to_raw(body);
                if chance.percent(60) {
                    self.mutate("body", &mut body, chance);
                }
                json_of(&body)
            }
            (None, body) => body.map(to_json).unwrap_or_default(),
        }
        .into_bytes();
        if changes {
            if chance.percent(10) {
                status = *chance.pick(&STATUSES);
            }
            if chance.percent(30) {
                self.add_header(&mut headers, chance);
            }
            body = mutated_json(body, chance);
        }
        // Responses with these statuses have no body, and `fetch` cannot make one with a status below 200.
        if matches!(status, 204 | 205 | 304) {
            body.clear();
        }
        let fits = body.len() <= 16_384 && headers.iter().all(|(_, value)| is_header(value));
        ((200..=599).contains(&status) && fits).then_some(Answer { status, headers, body })
    }

    fn add_header(&self, headers: &mut Vec<(String, String)>, chance: &mut Chance) {
        let name = *chance.pick(&HEADERS);
        let known = self.pool.pick(name, chance).cloned();
        let Raw::Text(mut text) = known.unwrap_or_else(|| self.pool.odd(chance)) else { return };
        if chance.percent(60) {
            text = changed(&text, chance);
        }
        let value = text.to_string().trim_matches([' ', '\t', '\n']).to_owned();
        if is_header(&value) {
            headers.retain(|(given, _)| given != name);
            headers.push((name.to_owned(), value));
        }
    }
}

/// Returns whether the dimensions are those of `usage.by`: other languages send one tag or `sandbox` elsewhere.
fn by_groups(members: &[(Text, Raw)]) -> bool {
    match members.iter().find(|(name, _)| name.as_str() == Some("groupBy")) {
        Some((_, Raw::Text(text))) => {
            matches!(text.as_str(), Some(text) if text.contains(',') || !text.starts_with("tag:") && text != "sandbox")
        }
        Some((_, Raw::List(items))) => items.len() > 1,
        _ => true,
    }
}

/// Returns whether every transport delivers a text unchanged as the value of a header.
fn is_header(value: &str) -> bool {
    value.trim_matches([' ', '\t']) == value && value.chars().all(|c| matches!(c, ' '..='~' | '\u{a0}'..='\u{ff}'))
}

/// Sometimes inserts pieces into a JSON text, and rarely flips a bit, which may break UTF-8.
fn mutated_json(mut text: Vec<u8>, chance: &mut Chance) -> Vec<u8> {
    if chance.percent(10) {
        let number = |at: &usize| text[*at].is_ascii_digit();
        let numbers: Vec<usize> = (0..text.len()).filter(number).collect();
        let place = if numbers.is_empty() || chance.percent(20) {
            chance.below(text.len() + 1)
        } else {
            *chance.pick(&numbers)
        };
        let length = text[place..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        text.splice(place..place + length, chance.pick(&PIECES).bytes());
    }
    if chance.percent(10)
        && let Some(at) = text.iter().position(|byte| *byte == b'{')
    {
        // An unknown member.
        let member =
            format!("\"x\":{}{}", chance.pick(&PIECES), if text.get(at + 1) == Some(&b'}') { "" } else { "," });
        text.splice(at + 1..=at, member.bytes());
    }
    if chance.percent(2) && !text.is_empty() {
        let at = chance.below(text.len());
        text[at] ^= 1 << chance.below(8);
    }
    text
}

impl Case {
    /// Returns the case as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let (name, input) = (self.call.name().to_json(), self.call.input());
        let verdict = self.verdict.text.to_json();
        let case = format!("seed {}, case {}", self.seed, self.number);
        format!("{{\"case\":\"{case}\",\"call\":{name},\"input\":{input},\"verdict\":{verdict}}}")
    }
}
