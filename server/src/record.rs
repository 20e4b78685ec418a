//! The lines of an import, parsed from JSON to checked records.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use opencomputer_usage_core::host::value::{Raw, Text};
use opencomputer_usage_core::sandbox::SandboxId;
use opencomputer_usage_core::tags::{TagKey, TagSet, is_system_key, validate_tag_value};
use opencomputer_usage_core::usage::window::Timestamp;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// The longest text of a session, such as its template or alias.
const MAX_TEXT_CHARACTERS: usize = 256;
/// The largest size that every engine can store.
const MAX_SIZE: u64 = i32::MAX as u64;
/// The largest memory size, in bytes.
const MAX_BYTES: u64 = MAX_SIZE << 20;
/// The largest CPU time that every engine can store, in microseconds.
const MAX_CPU_USEC: u64 = i64::MAX as u64;

/// One line.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Record {
    /// A session of a sandbox.
    Session(Session),
    /// A period of a sandbox at one memory and disk size.
    Scale(Scale),
    /// The tags of a sandbox.
    Tags(Tags),
    /// A measurement of the memory that a sandbox uses.
    Sample(Sample),
}

impl Record {
    /// Parses a line without white space around it. The error describes the fault.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        Self::read(line).map_err(|fault| shortened(&fault))
    }

    fn read(line: &[u8]) -> Result<Self, String> {
        if std::str::from_utf8(line).is_err() {
            return Err("a line must be valid UTF-8".to_owned());
        }
        // serde would also accept an array of the members.
        if line.first() != Some(&b'{') {
            return Err("a line must be a JSON object".to_owned());
        }
        let record: Self = serde_json::from_slice(line).map_err(|error| fault(line, &error))?;
        match &record {
            Self::Session(Session { started_at, stopped_at: Some(stopped_at), .. }) if stopped_at < started_at => {
                Err(format!("`stoppedAt` ({stopped_at}) is before `startedAt` ({started_at})"))
            }
            Self::Scale(Scale { started_at, ended_at: Some(ended_at), .. }) if ended_at < started_at => {
                Err(format!("`endedAt` ({ended_at}) is before `startedAt` ({started_at})"))
            }
            _ => Ok(record),
        }
    }
}

/// Truncates each part of a line that a message quotes to 64 characters.
fn shortened(message: &str) -> String {
    const LONGEST: usize = 64;
    let mut short = String::new();
    let mut rest = message;
    while let Some(start) = rest.find(['`', '"']) {
        let (before, quoted) = rest.split_at(start);
        let quote = if quoted.starts_with('`') { '`' } else { '"' };
        let inside = quoted.get(1..).unwrap_or_default();
        let (text, after) = inside.split_once(quote).map_or((inside, ""), |(text, after)| (text, after));
        short.push_str(before);
        short.push(quote);
        short.extend(text.chars().take(LONGEST));
        if text.chars().count() > LONGEST {
            short.push('…');
        }
        if inside.len() > text.len() {
            short.push(quote);
        }
        rest = after;
    }
    short + rest
}

/// Describes the fault of a line that could not be parsed, with the name of the member if it is known.
fn fault(line: &[u8], error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(&*text, |(message, _)| message);
    if error.is_syntax() && (text.contains("surrogate") || text.contains("end of hex escape")) {
        return "a text contains a lone surrogate, as in `\\ud800`, which is not valid Unicode".to_owned();
    }
    // serde cannot name members behind a type tag, so the line is parsed once more without it.
    let named = serde_json::from_slice(line).ok().and_then(|mut members: Map<String, Value>| {
        match members.remove("type")?.as_str()? {
            "session" => member_fault::<Session>(members),
            "scale" => member_fault::<Scale>(members),
            "tags" => member_fault::<TagsLine>(members),
            "sample" => member_fault::<Sample>(members),
            _ => None,
        }
    });
    named.unwrap_or_else(|| text.to_owned())
}

fn member_fault<T: DeserializeOwned>(members: Map<String, Value>) -> Option<String> {
    let error = serde_path_to_error::deserialize::<_, T>(Value::Object(members)).err()?;
    let (member, fault) = (error.path().to_string(), error.inner().to_string());
    Some(if member == "." || fault.contains(&format!("`{member}`")) { fault } else { format!("`{member}`: {fault}") })
}

/// A session, identified by its sandbox and start.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Session {
    /// The sandbox.
    #[serde(deserialize_with = "sandbox_id")]
    pub sandbox_id: SandboxId,
    /// The template that it was created from.
    #[serde(deserialize_with = "text")]
    pub template: String,
    /// The region that it runs in.
    #[serde(deserialize_with = "text")]
    pub region: String,
    /// The worker that it runs on.
    #[serde(deserialize_with = "text")]
    pub worker_id: String,
    /// `running`, `hibernated`, `stopped`, `error` or another of the platform's.
    #[serde(deserialize_with = "status")]
    pub status: String,
    /// Its start.
    #[serde(deserialize_with = "instant")]
    pub started_at: Timestamp,
    /// Its end; `None` while it is open.
    #[serde(default, deserialize_with = "optional_instant")]
    pub stopped_at: Option<Timestamp>,
    /// The name that the user gave.
    #[serde(default, deserialize_with = "optional_text")]
    pub alias: Option<String>,
}

/// A scale event, identified by its sandbox, start and sizes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scale {
    /// The sandbox.
    #[serde(deserialize_with = "sandbox_id")]
    pub sandbox_id: SandboxId,
    /// Memory in MB.
    #[serde(deserialize_with = "size")]
    pub memory_mb: u64,
    /// CPU in percent of one core.
    #[serde(deserialize_with = "size")]
    pub cpu_percent: u64,
    /// Disk in MB.
    #[serde(deserialize_with = "size")]
    pub disk_mb: u64,
    /// Its start.
    #[serde(deserialize_with = "instant")]
    pub started_at: Timestamp,
    /// Its end; `None` while it is open.
    #[serde(default, deserialize_with = "optional_instant")]
    pub ended_at: Option<Timestamp>,
}

/// A measurement, identified by its sandbox and time.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sample {
    /// The sandbox.
    #[serde(deserialize_with = "sandbox_id")]
    pub sandbox_id: SandboxId,
    /// The time of the measurement.
    #[serde(deserialize_with = "instant")]
    pub sampled_at: Timestamp,
    /// The used memory in bytes.
    #[serde(deserialize_with = "limited::<_, MAX_BYTES>")]
    pub memory_bytes: u64,
    /// The allocated memory in MB; 0 if it is not known.
    #[serde(default, deserialize_with = "optional_limited::<_, MAX_SIZE>")]
    pub memory_mb: u64,
    /// The CPU time since the start of the sandbox in microseconds; 0 if it is not known.
    #[serde(default, deserialize_with = "optional_limited::<_, MAX_CPU_USEC>")]
    pub cpu_usec: u64,
    /// The number of processes; 0 if it is not known.
    #[serde(default, deserialize_with = "optional_limited::<_, MAX_SIZE>")]
    pub pids: u64,
}

/// All tags of one sandbox.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, try_from = "TagsLine")]
pub struct Tags {
    /// The sandbox.
    pub sandbox_id: SandboxId,
    /// The user's tags.
    pub user: TagSet,
    /// The system's tags, under `oc:`.
    pub system: BTreeMap<String, String>,
}

impl Tags {
    /// Returns the sets of tags that it replaces, each with whether it is the system's.
    pub fn sets(&self) -> impl Iterator<Item = (bool, BTreeMap<String, String>)> {
        let system = (!self.system.is_empty()).then(|| (true, self.system.clone()));
        std::iter::once((false, self.user.to_map())).chain(system)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TagsLine {
    #[serde(deserialize_with = "sandbox_id")]
    sandbox_id: SandboxId,
    tags: Raw,
}

impl TryFrom<TagsLine> for Tags {
    type Error = String;

    fn try_from(TagsLine { sandbox_id, tags }: TagsLine) -> Result<Self, String> {
        let Raw::Map(entries) = tags else {
            return Err(format!("`tags` must be an object of strings, got {}", tags.kind()));
        };
        let mut seen = BTreeSet::new();
        if let Some(key) = entries.iter().filter_map(|(key, _)| key.as_str()).find(|key| !seen.insert(*key)) {
            return Err(format!("`tags` has the key `{key}` twice"));
        }
        let is_system = |(key, _): &(Text, Raw)| key.as_str().is_some_and(is_system_key);
        let (system, user): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_system);
        let user = TagSet::parse(&Raw::Map(user)).map_err(|error| error.to_string())?;
        let system = system.into_iter().map(system_tag).collect::<Result<_, _>>()?;
        Ok(Self { sandbox_id, user, system })
    }
}

fn system_tag((key, value): (Text, Raw)) -> Result<(String, String), String> {
    let invalid = |fault: &dyn fmt::Display| format!("invalid tags: `{key}`: {fault}");
    if let Some(violation) = validate_tag_value(&value).first() {
        return Err(invalid(&violation.message));
    }
    let name = key.as_str().unwrap_or_default();
    let parsed = TagKey::parse(name).map_err(|fault| invalid(&fault))?;
    match value {
        Raw::Text(Text::Unicode(value)) => Ok((parsed.as_str().to_owned(), value)),
        other => Err(invalid(&other.kind())),
    }
}

fn sandbox_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SandboxId, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

// Timestamps can be deserialized, but their error does not name the allowed forms.
fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn optional_instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse()).transpose().map_err(D::Error::custom)
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked_text(String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let status = text(deserializer)?;
    if status.is_empty() { Err(D::Error::custom("must not be empty")) } else { Ok(status) }
}

fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(deserializer)?.map(checked_text).transpose().map_err(D::Error::custom)
}

fn checked_text(text: String) -> Result<String, String> {
    if text.contains('\0') {
        return Err("a text contains U+0000, which is not allowed".to_owned());
    }
    match text.chars().count() {
        0..=MAX_TEXT_CHARACTERS => Ok(text),
        characters => Err(format!("a text has {characters} characters, at most {MAX_TEXT_CHARACTERS} are allowed")),
    }
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    limited::<_, MAX_SIZE>(deserializer)
}

fn limited<'de, D: Deserializer<'de>, const MAX: u64>(deserializer: D) -> Result<u64, D::Error> {
    checked_size::<MAX>(u64::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn optional_limited<'de, D: Deserializer<'de>, const MAX: u64>(deserializer: D) -> Result<u64, D::Error> {
    checked_size::<MAX>(Option::deserialize(deserializer)?.unwrap_or_default()).map_err(D::Error::custom)
}

fn checked_size<const MAX: u64>(size: u64) -> Result<u64, String> {
    if size <= MAX { Ok(size) } else { Err(format!("the size {size} is too large, at most {MAX} is allowed")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_quotes_at_most_64_characters_of_a_line() {
        let long = "é".repeat(900);
        for line in [
            format!(r#"{{"type":"tags","sandboxId":"sb-1","tags":{{}},"{long}":1}}"#),
            format!(r#"{{"type":"{long}"}}"#),
            format!(r#"{{"type":"tags","sandboxId":"sb-1","tags":{{"{long}":"1"}}}}"#),
            format!(r#"{{"type":"tags","sandboxId":"sb-1","tags":{{"{long}":"1","{long}":"1"}}}}"#),
            format!(r#"{{"type":"tags","sandboxId":"sb-1","tags":"{long}"}}"#),
            format!(r#"{{"type":"scale","sandboxId":"sb-1","memoryMb":"{long}"}}"#),
            format!(r#"{{"type":"scale","sandboxId":"sb-1","startedAt":"{long}"}}"#),
        ] {
            let fault = Record::parse(line.as_bytes()).unwrap_err();
            assert!(fault.chars().count() < 400 && !fault.contains(&"é".repeat(65)), "{fault}");
        }
        assert_eq!(shortened("`a` is \"b\", `c"), "`a` is \"b\", `c");
        assert_eq!(shortened(&format!("`{long}` twice")), format!("`{}…` twice", "é".repeat(64)));
    }
}
