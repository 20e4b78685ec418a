//! Random changes of values.

use std::collections::{BTreeMap, BTreeSet};

use opencomputer_usage_core::host::value::{Raw, Text};
use opencomputer_usage_vectors::to_raw;
use serde_json::Value;

use super::chance::Chance;
use super::write::json_of;
use crate::check::KEY;

/// Texts that rules, encodings or languages treat specially.
const TEXTS: [&str; 46] = [
    "",
    " ",
    "\0",
    "\t",
    "\n",
    "\u{7f}",
    "é",
    "e\u{301}",
    "\u{202e}abc",
    "\u{200b}",
    "\u{feff}",
    "\u{2028}",
    "😀",
    "👩\u{200d}👩\u{200d}👧",
    "\u{10ffff}",
    "__proto__",
    "constructor",
    "toString",
    "0",
    "10",
    "1e3",
    "NaN",
    "null",
    "None",
    "undefined",
    "true",
    "oc:x",
    "sandbox",
    "tag:team",
    "tag:",
    "a,b",
    "\"a,b\"",
    "\"",
    "\\",
    "%2F",
    "%",
    "+",
    "../..",
    "2026-01-01",
    "2026-02-30T25:00:00Z",
    "2026-01-01T00:00:00.123456+05:30",
    "Europe/Paris",
    "-0",
    "*",
    "W/\"e\"",
    KEY,
];

const NUMBERS: [f64; 24] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    1.5,
    2.0,
    20.0,
    100.0,
    500.0,
    501.0,
    4_294_967_296.0,
    9_007_199_254_740_991.0,
    9_007_199_254_740_992.0,
    9_007_199_254_740_994.0,
    18_446_744_073_709_551_616.0,
    1e21,
    -1e21,
    1e-7,
    5e-324,
    1.797_693_134_862_315_7e308,
    0.300_000_000_000_000_04,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

const CHARACTERS: [&str; 26] = [
    "a", "Z", "0", "-", "_", ".", ":", ",", "\"", "'", "\\", "/", "%", "&", "=", "+", " ", "[", "]", "\0", "é",
    "\u{301}", "😀", "\u{202e}", "\u{a0}", "T",
];

/// Depths of nesting around the limits of the decoders.
const DEPTHS: [usize; 8] = [1, 2, 3, 5, 100, 126, 127, 128];
/// The largest value taken from the vectors; longer ones would dominate the output.
const MOST_BYTES: usize = 4_096;

/// The values of the vectors by the name of their member.
#[derive(Debug, Default)]
pub(super) struct Pool {
    names: Vec<String>,
    values: BTreeMap<String, Vec<Raw>>,
}

impl Pool {
    /// Adds a value and its parts.
    pub(super) fn add(&mut self, name: &str, value: &Value) {
        let raw = to_raw(value);
        if json_of(&raw).len() <= MOST_BYTES {
            let known = self.values.entry(name.to_owned()).or_default();
            if known.is_empty() {
                self.names.push(name.to_owned());
            }
            known.push(raw);
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.add(name, item)),
            Value::Object(members) => members.iter().for_each(|(name, value)| self.add(name, value)),
            _ => {}
        }
    }

    pub(super) fn pick(&self, name: &str, chance: &mut Chance) -> Option<&Raw> {
        self.values.get(name).map(|values| chance.pick(values))
    }

    /// Changes a value or one of its parts.
    pub(super) fn mutate(&self, name: &str, value: &mut Raw, chance: &mut Chance) {
        let mut place = chance.below(count(value));
        self.mutate_part(name, value, &mut place, chance);
    }

    /// Changes the part with this number, in the order of the text.
    fn mutate_part(&self, name: &str, value: &mut Raw, place: &mut usize, chance: &mut Chance) {
        if *place == 0 {
            return self.change(name, value, chance);
        }
        *place -= 1;
        let parts: Vec<(String, &mut Raw)> = match value {
            Raw::List(items) => items.iter_mut().map(|item| (name.to_owned(), item)).collect(),
            Raw::Map(members) => members.iter_mut().map(|(name, value)| (name.to_string(), value)).collect(),
            _ => Vec::new(),
        };
        for (name, part) in parts {
            let size = count(part);
            if *place < size {
                return self.mutate_part(&name, part, place, chance);
            }
            *place -= size;
        }
    }

    fn change(&self, name: &str, value: &mut Raw, chance: &mut Chance) {
        let dice = chance.below(100);
        if let (0..35, Some(known)) = (dice, self.pick(name, chance)) {
            *value = known.clone();
            return;
        }
        match value {
            _ if dice < 50 => *value = self.odd(chance),
            _ if dice < 53 => {
                let depth = *chance.pick(&DEPTHS);
                *value = (0..depth).fold(value.clone(), |inner, _| Raw::List(vec![inner]));
            }
            Raw::Text(text) => *text = changed(text, chance),
            Raw::Number(number) => {
                *number = match chance.below(5) {
                    0 => *number + 1.0,
                    1 => -*number,
                    2 => *number * 10.0,
                    3 => *number / 3.0,
                    _ => *chance.pick(&NUMBERS),
                }
            }
            Raw::List(items) => self.change_list(name, items, chance),
            Raw::Map(members) => self.change_map(members, chance),
            _ => *value = self.odd(chance),
        }
    }

    fn change_list(&self, name: &str, items: &mut Vec<Raw>, chance: &mut Chance) {
        let place = chance.below(items.len() + 1);
        match (chance.below(4), items.get(place).cloned()) {
            (0, Some(_)) => drop(items.remove(place)),
            (1, Some(item)) => items.push(item),
            (2, Some(_)) => items.swap(0, place),
            _ => {
                let item = self.pick(name, chance).cloned();
                items.insert(place, item.unwrap_or_else(|| self.odd(chance)));
            }
        }
    }

    fn change_map(&self, members: &mut Vec<(Text, Raw)>, chance: &mut Chance) {
        let place = chance.below(members.len() + 1);
        match (chance.below(4), members.get(place).cloned()) {
            (0, Some(_)) => drop(members.remove(place)),
            // Repeats a member, of which `as_in_languages` keeps the first.
            (1, Some(member)) => members.push(member),
            (2, Some((name, value))) => members.insert(place, (changed(&name, chance), value)),
            _ => {
                let name = chance.pick(&self.names);
                let value = self.pick(name, chance).cloned().filter(|_| chance.percent(70));
                let value = value.unwrap_or_else(|| self.odd(chance));
                members.insert(place, (name.as_str().into(), value));
            }
        }
    }

    /// Returns a value that is rarely valid.
    pub(super) fn odd(&self, chance: &mut Chance) -> Raw {
        match chance.below(12) {
            0 => Raw::Null,
            1 => Raw::Bool(chance.percent(50)),
            2..5 => Raw::Number(*chance.pick(&NUMBERS)),
            5..8 => Raw::Text((*chance.pick(&TEXTS)).into()),
            8 => Raw::Text(Text::from_code_points([0x61, *chance.pick(&[0xd800, 0xdc00, 0xdfff]), 0x62])),
            9 => Raw::Text(chance.pick(&CHARACTERS).repeat(*chance.pick(&[65, 129, 256, 257, 300])).as_str().into()),
            10 => Raw::List((0..chance.below(4)).map(|_| self.odd(chance)).collect()),
            _ => {
                let name = chance.pick(&self.names).as_str().into();
                Raw::Map(vec![(name, self.odd(chance))])
            }
        }
    }
}

/// Returns the number of parts of a value, itself among them.
fn count(value: &Raw) -> usize {
    1 + match value {
        Raw::List(items) => items.iter().map(count).sum(),
        Raw::Map(members) => members.iter().map(|(_, value)| count(value)).sum(),
        _ => 0,
    }
}

/// Returns a text with one change.
pub(super) fn changed(text: &Text, chance: &mut Chance) -> Text {
    let mut points = text.code_points();
    let place = chance.below(points.len() + 1);
    let end = (place + 1 + chance.below(3)).min(points.len());
    let piece = match chance.below(4) {
        0 => *chance.pick(&TEXTS),
        _ => *chance.pick(&CHARACTERS),
    };
    let piece = piece.chars().map(u32::from);
    match chance.below(8) {
        0 | 1 => drop(points.splice(place..place, piece)),
        2 | 3 => drop(points.splice(place..end, piece)),
        4 => drop(points.drain(place..end)),
        5 => points.truncate(place),
        6 => points.extend_from_within(place..),
        _ => points.insert(place, 0xd800),
    }
    // Half a pair followed by the other half is one character in JavaScript, but two in Python.
    while let Some(at) = points.windows(2).position(|pair| is_high(pair[0]) && is_low(pair[1])) {
        points.remove(at);
    }
    Text::from_code_points(points)
}

fn is_high(point: u32) -> bool {
    (0xd800..0xdc00).contains(&point)
}

fn is_low(point: u32) -> bool {
    (0xdc00..0xe000).contains(&point)
}

/// Makes the keys of maps unique and moves array indices to the front, as JavaScript orders them, so that every
/// language gets the same value.
pub(super) fn as_in_languages(value: Raw) -> Raw {
    match value {
        Raw::List(items) => Raw::List(items.into_iter().map(as_in_languages).collect()),
        Raw::Map(members) => {
            let mut seen = BTreeSet::new();
            let members = members.into_iter().filter(|(name, _)| seen.insert(name.code_points()));
            let mut members: Vec<_> = members.map(|(name, value)| (name, as_in_languages(value))).collect();
            members.sort_by_key(|(name, _)| index(name).unwrap_or(u32::MAX));
            Raw::Map(members)
        }
        other => other,
    }
}

fn index(name: &Text) -> Option<u32> {
    let name = name.as_str()?;
    name.parse::<u32>().ok().filter(|index| *index < u32::MAX && index.to_string() == name)
}
