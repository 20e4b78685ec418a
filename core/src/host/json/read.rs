//! Reads JSON, keeping numbers as text.

use std::borrow::Cow;

use crate::host::decimal::Decimal;

/// The deepest nesting, the same as `serde_json`'s.
const DEPTH: u8 = 127;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// The text of a number that fits into a double.
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    /// The members in their order in the text. A name may occur more than once.
    Map(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Parses a text that contains exactly one value. The error is the byte offset of the fault.
    pub(crate) fn parse(text: &'a str) -> Result<Self, usize> {
        let mut reader = Reader { rest: text };
        let value = reader.value(DEPTH).filter(|_| reader.rest.is_empty());
        value.ok_or(text.len() - reader.rest.len())
    }

    /// Parses the value at the start of a text and ignores the rest.
    pub(crate) fn parse_first(text: &'a str) -> Option<Self> {
        Reader { rest: text }.value(DEPTH)
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

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn eat(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Parses a value and the white space around it.
    fn value(&mut self, depth: u8) -> Option<Json<'a>> {
        self.space();
        let value = if self.eat("\"") {
            Json::Text(self.string()?)
        } else if self.eat("{") {
            let member = |reader: &mut Self, depth| {
                reader.space();
                let name = reader.eat("\"").then(|| reader.string())??;
                reader.space();
                reader.eat(":").then(|| reader.value(depth))?.map(|value| (name, value))
            };
            Json::Map(self.sequence("}", depth.checked_sub(1)?, member)?)
        } else if self.eat("[") {
            Json::List(self.sequence("]", depth.checked_sub(1)?, Self::value)?)
        } else if self.eat("null") {
            Json::Null
        } else if self.eat("true") {
            Json::Bool(true)
        } else if self.eat("false") {
            Json::Bool(false)
        } else {
            Json::Number(self.number()?)
        };
        self.space();
        Some(value)
    }

    /// Parses the items between brackets, including the closing one.
    fn sequence<T>(
        &mut self,
        close: &str,
        depth: u8,
        mut item: impl FnMut(&mut Self, u8) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut items = Vec::new();
        self.space();
        if self.eat(close) {
            return Some(items);
        }
        loop {
            items.push(item(self, depth)?);
            if !self.eat(",") {
                return self.eat(close).then_some(items);
            }
        }
    }

    /// Parses from after the opening quote to after the closing one.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        let mut text = Cow::Borrowed("");
        loop {
            let end = self.rest.find(|c: char| c < ' ' || matches!(c, '"' | '\\'))?;
            let (plain, rest) = self.rest.split_at_checked(end)?;
            self.rest = rest;
            if text.is_empty() {
                text = Cow::Borrowed(plain);
            } else {
                text.to_mut().push_str(plain);
            }
            if self.eat("\"") {
                return Some(text);
            }
            if !self.eat("\\") {
                return None;
            }
            text.to_mut().push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let escape = rest.next()?;
        self.rest = rest.as_str();
        Some(match escape {
            '"' | '\\' | '/' => escape,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let unit = self.unit()?;
                let low = if matches!(unit, 0xD800..0xDC00) && self.eat("\\u") { Some(self.unit()?) } else { None };
                // A lone surrogate is not a character.
                char::decode_utf16([unit].into_iter().chain(low)).next()?.ok()?
            }
            _ => return None,
        })
    }

    /// Parses four hex digits.
    fn unit(&mut self) -> Option<u16> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        self.rest = rest;
        // The conversion would accept a sign.
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
    }

    fn number(&mut self) -> Option<&'a str> {
        let text = self.rest;
        self.eat("-");
        if !self.eat("0") {
            self.digits()?;
        }
        if self.eat(".") {
            self.digits()?;
        }
        if self.eat("e") || self.eat("E") {
            let _ = self.eat("+") || self.eat("-");
            self.digits()?;
        }
        let number = text.get(..text.len() - self.rest.len())?;
        // Without an exponent, only a number of three hundred digits can exceed every double.
        let plain = number.len() < 300 && !number.contains(['e', 'E']);
        (plain || Decimal::read(number)?.is_finite()).then_some(number)
    }

    fn digits(&mut self) -> Option<()> {
        let rest = self.rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let some = rest.len() < self.rest.len();
        self.rest = rest;
        some.then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::json::ToJson as _;
    use proptest::prelude::*;

    /// Writes a value. Numbers keep their text.
    fn text_of(json: &Json<'_>) -> String {
        let mut out = String::new();
        match json {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(number) => out.push_str(number),
            Json::Text(text) => text.write_json(&mut out),
            Json::List(items) => {
                let items: Vec<_> = items.iter().map(text_of).collect();
                out = format!("[{}]", items.join(","));
            }
            Json::Map(members) => {
                let members: Vec<_> =
                    members.iter().map(|(name, value)| format!("{}:{}", name.to_json(), text_of(value))).collect();
                out = format!("{{{}}}", members.join(","));
            }
        }
        out
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
            let again = ours.map(|ours| serde_json::from_str::<serde_json::Value>(&text_of(&ours)).unwrap());
            prop_assert_eq!(again, theirs);
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
