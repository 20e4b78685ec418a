//! Deserializes messages. Values are packed into 16-bit words, so JavaScript's UTF-16 strings cross unchanged.

use opencomputer_usage_core::host::value::{Raw, Text};

const UNSUPPORTED: &str = "an unsupported type";
/// Types of JavaScript that JSON lacks, in the order of `KINDS` in `message.ts`.
const KINDS: [&str; 10] = [
    UNSUPPORTED,
    "a function",
    "a symbol",
    "a bigint",
    "an object with a symbol for a key",
    "a sparse array",
    "a Date",
    "a Map",
    "a Set",
    "a Promise",
];

/// The unread rest of a message. A malformed message yields values that every rule rejects, so reading never fails.
pub struct Message<'a> {
    words: &'a [u16],
    /// The numbers read so far, each with JavaScript's shortest text for it.
    numbers: Vec<(f64, String)>,
}

impl<'a> Message<'a> {
    pub const fn new(words: &'a [u16]) -> Self {
        Self { words, numbers: Vec::new() }
    }

    /// Reads the next value. Its first word is its type.
    pub fn value(&mut self) -> Raw {
        match self.word().and_then(|kind| u8::try_from(kind).ok()) {
            Some(b'0') => Raw::Null,
            Some(b'u') => Raw::Undefined,
            Some(b'f') => Raw::Bool(false),
            Some(b't') => Raw::Bool(true),
            Some(b'n') => self.number(),
            Some(b's') => Raw::Text(self.text()),
            Some(b'l') => {
                let items = self.count();
                Raw::List((0..items).map_while(|_| self.item()).collect())
            }
            Some(b'm') => {
                let entries = self.count();
                Raw::Map((0..entries).map_while(|_| self.item().map(|value| (self.text(), value))).collect())
            }
            Some(b'x') => Raw::Other(self.kind()),
            _ => Raw::Other(UNSUPPORTED),
        }
    }

    fn kind(&mut self) -> &'static str {
        let kind = self.word().and_then(|kind| KINDS.get(usize::from(kind)));
        kind.copied().unwrap_or(UNSUPPORTED)
    }

    /// Reads the next value as a string that the package chose; empty for another type.
    pub fn name(&mut self) -> String {
        match self.value() {
            Raw::Text(text) => text.to_string(),
            _ => String::new(),
        }
    }

    /// Reads the next count; `None` if it is out of range.
    #[cfg(feature = "client")]
    pub fn index<T: TryFrom<usize>>(&mut self) -> Option<T> {
        T::try_from(self.count()).ok()
    }

    /// Returns JavaScript's shortest text for a number that was read.
    pub fn shortest(&self, number: f64) -> String {
        let written = self.numbers.iter().find(|(read, _)| read.to_bits() == number.to_bits());
        written.map_or_else(String::new, |(_, text)| text.clone())
    }

    fn item(&mut self) -> Option<Raw> {
        (!self.words.is_empty()).then(|| self.value())
    }

    fn word(&mut self) -> Option<u16> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(*first)
    }

    fn take<const N: usize>(&mut self) -> [u16; N] {
        let Some((first, rest)) = self.words.split_first_chunk() else { return [0; N] };
        self.words = rest;
        *first
    }

    fn count(&mut self) -> usize {
        let [low, high] = self.take();
        usize::from(high) << 16 | usize::from(low)
    }

    fn number(&mut self) -> Raw {
        let bits = self.take::<4>().iter().rev().fold(0, |bits, word| bits << 16 | u64::from(*word));
        let number = f64::from_bits(bits);
        let text = self.text().to_string();
        self.numbers.push((number, text));
        Raw::Number(number)
    }

    fn text(&mut self) -> Text {
        let units = self.count();
        let Some((text, rest)) = self.words.split_at_checked(units) else { return "".into() };
        self.words = rest;
        String::from_utf16(text).map_or_else(|_| Text::from_utf16(text), Text::Unicode)
    }
}
