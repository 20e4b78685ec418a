//! The seeds of each target, from the shared test vectors.

use std::collections::BTreeSet;

use chrono_tz::TZ_VARIANTS;
use opencomputer_usage_core::host::value::Text;
use opencomputer_usage_core::usage::interval::Interval;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_vectors::{load, to_json, to_text};
use serde_json::Value;

use crate::check::KEY;
use crate::time::FIRST;

/// The suites with inputs of a target.
const SUITES: [&str; 17] = [
    "cursors",
    "drilldown",
    "etag",
    "filter-format",
    "filter-parse",
    "grids",
    "group-by",
    "http",
    "queries",
    "requests",
    "responses",
    "retries",
    "splits",
    "tag-key",
    "tag-value",
    "tags",
    "walks",
];
/// The longest seed. Mutations of a longer one are slow and find nothing new.
const MOST_BYTES: usize = 4_096;

/// The vectors, searched for seeds.
#[derive(Debug)]
pub struct Seeds(Vec<(&'static str, Value)>);

impl Default for Seeds {
    fn default() -> Self {
        let cases = |suite| load(suite).into_iter().map(move |case| (suite, case.0));
        Self(SUITES.into_iter().flat_map(cases).collect())
    }
}

impl Seeds {
    /// Returns the seeds of a target, without duplicates.
    #[must_use]
    pub fn of(&self, target: &str) -> BTreeSet<Vec<u8>> {
        let seeds: Vec<Vec<u8>> = match target {
            "calls" => self.calls(),
            "cursors" => [self.member("encoded"), self.member("cursor"), self.parameters("cursor")].concat(),
            // The endpoints share most parameters.
            "drilldown_query" | "sandboxes_query" | "tag_values_query" | "usage_query" => {
                [self.queries(), self.grid_queries()].concat()
            }
            "entity_tags" => [self.member("etag"), self.member("current"), self.member("ifMatch")].concat(),
            "errors" => self.bodies(false),
            "filters" => [self.member("raw"), self.parameters("filter"), self.parameters("exclude")].concat(),
            "grids" => self.windows(),
            "group_by" => [self.member("groupBy"), self.parameters("groupBy")].concat(),
            "if_match" => [self.member("ifMatch"), self.member("if-match"), self.member("etag")].concat(),
            "link" => self.member("link"),
            "names" => [self.member("key"), self.member("value"), self.member("sandboxId")].concat(),
            "replies" => self.bodies(true),
            "retry_after" => self.member("retry-after"),
            "tags" => self.tags(),
            "timestamps" => self.instants(),
            _ => Vec::new(),
        };
        seeds.into_iter().filter(|seed| seed.len() <= MOST_BYTES).collect()
    }

    fn each(&self, visit: &mut dyn FnMut(&str, &Value)) {
        for (_, case) in &self.0 {
            walk("", case, visit);
        }
    }

    /// Returns the strings under a name, in any case.
    fn member(&self, wanted: &str) -> Vec<Vec<u8>> {
        let mut seeds = Vec::new();
        self.each(&mut |name, value| {
            if let (true, Some(text)) = (name.eq_ignore_ascii_case(wanted), value.as_str()) {
                seeds.push(bytes(text));
            }
        });
        seeds
    }

    /// Returns the objects under a name, as JSON.
    fn objects(&self, wanted: &str) -> Vec<Vec<u8>> {
        let mut seeds = Vec::new();
        self.each(&mut |name, value| {
            if name == wanted && value.is_object() {
                seeds.push(to_json(value).into_bytes());
            }
        });
        seeds
    }

    /// Returns every query string.
    fn queries(&self) -> Vec<Vec<u8>> {
        let mut seeds = self.member("query");
        self.each(&mut |name, value| {
            if let ("path", Some((_, query))) = (name, value.as_str().and_then(|path| path.split_once('?'))) {
                seeds.push(bytes(query));
            }
        });
        seeds
    }

    /// Returns the values of a query parameter, as they are encoded and without the usual escapes.
    fn parameters(&self, wanted: &str) -> Vec<Vec<u8>> {
        let mut seeds = Vec::new();
        for query in self.queries() {
            for pair in query.split(|byte| *byte == b'&').filter(|pair| pair.starts_with(wanted.as_bytes())) {
                if let Some(at) = pair.iter().position(|byte| *byte == b'=') {
                    let text = String::from_utf8_lossy(&pair[at + 1..]);
                    seeds.push(text.replace("%3A", ":").replace("%2C", ",").replace("%22", "\"").into_bytes());
                }
            }
        }
        seeds
    }

    fn grid_queries(&self) -> Vec<Vec<u8>> {
        let names = ["from", "to", "timezone", "interval"];
        let pair = |case: &Value, name: &str| Some(format!("{name}={}", case[name].as_str()?.replace('+', "%2B")));
        let query = |case: &Value| names.iter().filter_map(|name| pair(case, name)).collect::<Vec<_>>().join("&");
        self.suites(&["grids", "splits"]).map(|case| query(case).into_bytes()).collect()
    }

    fn suites(&self, wanted: &'static [&str]) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |(suite, _)| wanted.contains(suite)).map(|(_, case)| case)
    }

    /// Returns the windows of grids in the form of their target.
    fn windows(&self) -> Vec<Vec<u8>> {
        let window = |case: &Value| {
            let edge = |bucket: Option<&Value>, name| Timestamp::read(bucket?[name].as_str()?).map(Timestamp::micros);
            let buckets = case["buckets"].as_array()?;
            let (from, to) = (edge(buckets.first(), "from")?, edge(buckets.last(), "to")?);
            let interval = case["interval"].as_str()?.parse().ok()?;
            let zone = case["timezone"].as_str().unwrap_or("UTC");
            let interval = Interval::ALL.iter().position(|known| *known == interval)?;
            let zone = TZ_VARIANTS.iter().position(|known| known.name() == zone)?;
            let mut seed = vec![u8::try_from(interval).ok()?];
            seed.extend(u16::try_from(zone).ok()?.to_le_bytes());
            seed.extend((from - FIRST).to_le_bytes());
            seed.extend((to - from - 1).to_le_bytes());
            Some(seed)
        };
        self.suites(&["grids", "splits"]).filter_map(window).collect()
    }

    /// Returns pairs of instants in the form of their target.
    fn instants(&self) -> Vec<Vec<u8>> {
        let mut seeds = Vec::new();
        self.each(&mut |_, value| {
            if let (Some(from), Some(to)) =
                (value.get("from").and_then(Value::as_str), value.get("to").and_then(Value::as_str))
            {
                seeds.push(format!("{from}/{to}").into_bytes());
            }
        });
        let given = ["from", "to"].map(|name| self.parameters(name)).concat();
        seeds.into_iter().chain(given.into_iter().map(|text| [&text[..], b"/", &text].concat())).collect()
    }

    /// Returns calls in the form of their target.
    fn calls(&self) -> Vec<Vec<u8>> {
        let call = |(_, case): &(&str, Value)| {
            Some(format!("{}\n{}", case["operation"].as_str()?, to_json(case.get("params")?)).into_bytes())
        };
        self.0.iter().filter_map(call).collect()
    }

    fn tags(&self) -> Vec<Vec<u8>> {
        let mut seeds = self.objects("tags");
        self.each(&mut |name, value| {
            if name == "request" && value["method"] == "PUT" {
                seeds.extend(body(value));
            }
        });
        seeds
    }

    /// Returns the bodies of responses, of successes or of errors.
    fn bodies(&self, success: bool) -> Vec<Vec<u8>> {
        let mut seeds = Vec::new();
        self.each(&mut |_, value| {
            if let Some(status) = value.get("status").and_then(Value::as_u64)
                && (200..300).contains(&status) == success
            {
                seeds.extend(body(value));
            }
        });
        if !success {
            // Errors hide the key.
            seeds.push(format!(r#"{{"error":"{KEY}","code":"x{KEY}","requestId":"y"}}"#).into_bytes());
        }
        seeds
    }
}

/// Visits a value and all its parts, each with its name.
fn walk(name: &str, value: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    visit(name, value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(name, item, visit)),
        Value::Object(members) => members.iter().for_each(|(name, value)| walk(name, value, visit)),
        _ => {}
    }
}

/// Returns the body of a message of the vectors.
fn body(message: &Value) -> Option<Vec<u8>> {
    let text = message.get("text").and_then(Value::as_str).map(str::to_owned);
    text.or_else(|| message.get("body").map(to_json)).map(String::into_bytes)
}

/// Returns UTF-8, or UTF-16 of a text with lone surrogates.
fn bytes(text: &str) -> Vec<u8> {
    match to_text(text) {
        Text::Unicode(text) => text.into_bytes(),
        Text::Broken(points) => {
            let unit = |point: u32| u16::try_from(point).unwrap_or(0xfffd).to_le_bytes();
            points.into_iter().flat_map(unit).collect()
        }
    }
}
