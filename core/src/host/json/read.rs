//! Reads JSON, keeping single numbers as text.

use std::borrow::Cow;

use super::numbers::Numbers;
use crate::host::decimal::Decimal;

/// The deepest nesting, the same as `serde_json`'s.
pub(crate) const DEPTH: u8 = 127;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// The text of a number that fits into a double.
    Number(&'a str),
    /// The position of a list in the [`Numbers`] of the text.
    Numbers(usize),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    /// The members in their order in the text. A name may occur more than once.
    Map(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Parses a text that contains exactly one value. The error is the byte offset of the fault.
    pub(crate) fn parse(text: &'a str) -> Result<Self, usize> {
        Self::parse_all(text, None)
    }

    /// Parses a text as [`Json::parse`] does, and converts its lists of numbers to doubles where possible.
    pub(crate) fn parse_with(text: &'a str, numbers: &mut Numbers) -> Result<Self, usize> {
        Self::parse_all(text, Some(numbers))
    }

    fn parse_all(text: &'a str, numbers: Option<&mut Numbers>) -> Result<Self, usize> {
        let mut reader = Reader { text, at: 0, numbers };
        let value = reader.value(DEPTH).filter(|_| reader.at == text.len());
        value.ok_or(reader.at)
    }

    /// Parses the value at the start of a text and ignores the rest.
    pub(crate) fn parse_first(text: &'a str) -> Option<Self> {
        Reader { text, at: 0, numbers: None }.value(DEPTH)
    }

    /// Returns the member with this name, if this is an object that has it once.
    pub(crate) fn member(&self, name: &str) -> Result<Option<&Self>, Repeated> {
        let Self::Map(members) = self else {
            return Ok(None);
        };
        let mut named = members.iter().filter(|(given, _)| given == name).map(|(_, value)| value);
        let first = named.next();
        if named.next().is_some() { Err(Repeated) } else { Ok(first) }
    }

    /// Returns the member with this name, if it is a string.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.member(name).ok()??.as_str()
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The error for an object that has a member more than once.
#[derive(Debug)]
pub(crate) struct Repeated;

/// A position in a text. It moves byte by byte, because the module of the npm package is optimized for size, and methods
/// of `str` that take a pattern are ten times as slow there.
struct Reader<'a, 'n> {
    text: &'a str,
    at: usize,
    numbers: Option<&'n mut Numbers>,
}

impl<'a> Reader<'a, '_> {
    /// Returns the next byte; 0 at the end, which is not JSON anywhere else.
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    /// Parses a value and the white space around it.
    fn value(&mut self, depth: u8) -> Option<Json<'a>> {
        self.space();
        let value = match self.peek() {
            b'"' => {
                self.at += 1;
                Json::Text(self.string()?)
            }
            b'{' => {
                self.at += 1;
                let depth = depth.checked_sub(1)?;
                Json::Map(self.sequence(b'}', |reader| {
                    reader.space();
                    let name = reader.eat(b'"').then(|| reader.string())??;
                    reader.space();
                    reader.eat(b':').then(|| reader.value(depth))?.map(|value| (name, value))
                })?)
            }
            b'[' => {
                self.at += 1;
                let depth = depth.checked_sub(1)?;
                let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
                match self.numbers.as_deref_mut().and_then(|numbers| numbers.read(rest)) {
                    Some((list, length)) => {
                        self.at += length;
                        Json::Numbers(list)
                    }
                    None => Json::List(self.sequence(b']', |reader| reader.value(depth))?),
                }
            }
            b'n' => self.eat_word("null").then_some(Json::Null)?,
            b't' => self.eat_word("true").then_some(Json::Bool(true))?,
            b'f' => self.eat_word("false").then_some(Json::Bool(false))?,
            _ => Json::Number(self.number()?),
        };
        self.space();
        Some(value)
    }

    /// Parses the items between brackets, including the closing one.
    fn sequence<T>(&mut self, close: u8, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = Vec::new();
        self.space();
        if self.eat(close) {
            return Some(items);
        }
        loop {
            items.push(item(self)?);
            if !self.eat(b',') {
                return self.eat(close).then_some(items);
            }
        }
    }

    /// Parses from after the opening quote to after the closing one.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        let mut text = Cow::Borrowed("");
        loop {
            let start = self.at;
            while !matches!(self.peek(), 0..b' ' | b'"' | b'\\') {
                self.at += 1;
            }
            let plain = self.text.get(start..self.at)?;
            if text.is_empty() {
                text = Cow::Borrowed(plain);
            } else {
                text.to_mut().push_str(plain);
            }
            if self.eat(b'"') {
                return Some(text);
            }
            if !self.eat(b'\\') {
                return None;
            }
            text.to_mut().push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Option<char> {
        let escape = self.peek();
        self.at += 1;
        Some(match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.unit()?;
                let low =
                    if matches!(unit, 0xD800..0xDC00) && self.eat_word("\\u") { Some(self.unit()?) } else { None };
                // A lone surrogate is not a character.
                char::decode_utf16([unit].into_iter().chain(low)).next()?.ok()?
            }
            _ => return None,
        })
    }

    /// Parses four hex digits.
    fn unit(&mut self) -> Option<u16> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        // The conversion would accept a sign.
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
    }

    fn number(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        let exponent = self.eat(b'e') || self.eat(b'E');
        if exponent {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        let number = self.text.get(start..self.at)?;
        // Without an exponent, only a number of three hundred digits can exceed every double.
        let plain = number.len() < 300 && !exponent;
        (plain || Decimal::read(number)?.is_finite()).then_some(number)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::json::ToJson as _;
    use proptest::prelude::*;

    /// Writes a value. Numbers keep their text, except those in the store.
    fn text_of(json: &Json<'_>, numbers: &[f64]) -> String {
        let mut out = String::new();
        match json {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(number) => out.push_str(number),
            Json::Numbers(list) => {
                let (count, rest) = numbers[*list..].split_first().unwrap();
                let count: usize = count.to_string().parse().unwrap();
                out = serde_json::to_string(&rest[..count]).unwrap();
            }
            Json::Text(text) => text.write_json(&mut out),
            Json::List(items) => {
                let items: Vec<_> = items.iter().map(|item| text_of(item, numbers)).collect();
                out = format!("[{}]", items.join(","));
            }
            Json::Map(members) => {
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| format!("{}:{}", name.to_json(), text_of(value, numbers)))
                    .collect();
                out = format!("{{{}}}", members.join(","));
            }
        }
        out
    }

    /// Writes a value whose numbers are all doubles.
    fn doubles(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Number(number) => format!("{:?}", number.as_f64().unwrap()),
            serde_json::Value::Array(items) => {
                format!("[{}]", items.iter().map(doubles).collect::<Vec<_>>().join(","))
            }
            serde_json::Value::Object(members) => {
                let member = |(name, value): (&String, _)| format!("{}:{}", name.to_json(), doubles(value));
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
            }
            other => other.to_string(),
        }
    }

    /// Generates text that is often JSON or almost JSON.
    fn jsonish() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,2})?([eE][-+]?[0-9]{1,3})?",
            "\"([ -~é😀]|\\\\[\"\\\\/bfnrtu]|\\\\u(d83d|de00|[0-9a-fA-F]{4})){0,4}\"",
            "[-+0-9.eE]{1,6}",
            "[\\[\\]{},:\" \u{1}]{0,3}",
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
                prop::collection::vec(("\"[a-c]\"", inner), 0..4).prop_map(|members| {
                    let members: Vec<_> =
                        members.into_iter().map(|(name, value)| format!("{name}:\n{value}")).collect();
                    format!(" {{{}\t}}", members.join(","))
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn accepts_the_same_texts_and_reads_the_same_values_as_serde_json(text in jsonish()) {
            let theirs: Option<serde_json::Value> = serde_json::from_str(&text).ok();
            let ours = Json::parse(&text).ok();
            prop_assert_eq!(ours.is_some(), theirs.is_some(), "{}", text);
            let again = |json, numbers| serde_json::from_str::<serde_json::Value>(&text_of(&json, numbers)).unwrap();
            prop_assert_eq!(ours.map(|ours| again(ours, &[])), theirs.clone());

            let mut numbers = Numbers::default();
            let ours = Json::parse_with(&text, &mut numbers).ok();
            let as_doubles = |value: serde_json::Value| serde_json::from_str(&doubles(&value)).unwrap();
            let numbers = numbers.into_vec();
            prop_assert_eq!(
                ours.map(|ours| as_doubles(again(ours, &numbers))),
                theirs.map(as_doubles) as Option<serde_json::Value>
            );
        }
    }

    #[test]
    fn limits_depth_as_serde_json_does() {
        for depth in [126, 127, 128, 129, 100_000] {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            assert_eq!(Json::parse(&text).is_ok(), theirs, "{depth}");
        }
    }
}
