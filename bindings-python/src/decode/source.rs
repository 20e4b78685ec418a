//! A decoded page of usage by sandbox: its text, and the positions of its strings in that text.
//!
//! A body is validated as a whole when it arrives, without the GIL. The Python objects of an item are created when they
//! are read.

use std::cell::Cell;
use std::fmt;
use std::mem;
use std::num::NonZeroU32;
use std::sync::Mutex;

use bytes::Bytes;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_core::wire::{self, Whole};
use pyo3::prelude::*;
use pyo3::types::PyString;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

/// An item of a page.
pub type Item = wire::SandboxUsageItem<Span, Range, Moment>;
/// A page of such items.
pub type Page = wire::SandboxUsagePage<Span, Range, Moment>;

/// The position of a string. A page has thousands of these, so they are small.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The lower half of the string's address in the text, or its offset in `Shared::unescaped`.
    at: u32,
    /// Four times the length, plus two if the string had escapes, plus one.
    size: NonZeroU32,
}

/// The range of an item's tags in `Shared::tags`.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    start: u32,
    /// One more than the index after the last one, which leaves zero for an item without tags.
    after: NonZeroU32,
}

/// The position of a timestamp in canonical form.
#[derive(Clone, Copy, Debug)]
pub struct Moment(pub Span);

/// Data that the items of a page share.
#[derive(Debug, Default)]
struct Shared {
    tags: Vec<(Span, Span)>,
    /// The strings that have escapes in the text, unescaped.
    unescaped: String,
}

thread_local! {
    /// The tags of the page that is being decoded. serde passes no state to the values it deserializes.
    static TAGS: Cell<Vec<(Span, Span)>> = const { Cell::new(Vec::new()) };
    static UNESCAPED: Cell<String> = const { Cell::new(String::new()) };
}

/// The text of a page and its items.
#[pyclass(frozen)]
pub struct Source {
    text: Bytes,
    shared: Shared,
    items: Vec<Item>,
    cache: Mutex<Cache>,
}

/// Python strings that were created for tags, in slots by their hash: tags repeat from item to item.
#[derive(Default)]
struct Cache(Vec<Option<(Span, Py<PyString>)>>);

impl Cache {
    /// All slots together take 24 KB.
    const SLOTS: usize = 1 << Self::BITS;
    const BITS: u32 = 10;

    fn slot(&mut self, bytes: &[u8]) -> Option<&mut Option<(Span, Py<PyString>)>> {
        if self.0.is_empty() {
            self.0.resize_with(Self::SLOTS, || None);
        }
        let word = match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(31),
            _ => bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        // The upper bits of a product by 2⁶⁴ over the golden ratio depend on all of the word.
        let hash = (word ^ bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0.get_mut(usize::try_from(hash >> (u64::BITS - Self::BITS)).ok()?)
    }
}

/// Deserializes one JSON text.
pub fn decode<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Option<T> {
    let mut parser = sonic_rs::Deserializer::from_slice(text);
    T::deserialize(Whole::new(&mut parser)).and_then(|value| parser.end().map(|()| value)).ok()
}

/// Decodes a page and moves its items into a [`Source`].
pub fn page(text: Bytes) -> Option<(Page, Source)> {
    // Positions have 32 bits.
    u32::try_from(text.len()).ok()?;
    // Enough for most pages: growing would copy.
    TAGS.set(Vec::with_capacity(text.len() / 48));
    UNESCAPED.take();
    let decoded = decode(&text);
    let shared = Shared { tags: TAGS.take(), unescaped: UNESCAPED.take() };
    let mut page: Page = decoded?;
    let items = mem::take(&mut page.items);
    let source = Source { text, shared, items, cache: Mutex::default() };
    source.tags_are_unique().then_some((page, source))
}

impl Source {
    /// Creates a source from strings that are not part of a response.
    pub fn written<T>(write: impl FnOnce(&mut Writer) -> PyResult<T>) -> PyResult<(Self, T)> {
        let mut writer = Writer(Shared::default());
        let made = write(&mut writer)?;
        let (text, items, cache) = (Bytes::new(), Vec::new(), Mutex::default());
        Ok((Self { text, shared: writer.0, items, cache }, made))
    }

    /// Returns the source with one item.
    pub fn with_item(self, item: Item) -> Self {
        Self { items: vec![item], ..self }
    }

    /// Returns the text of the page.
    pub fn body(&self) -> &[u8] {
        &self.text
    }

    pub fn items(&self) -> &[Item] {
        &self.items
    }

    pub fn item(&self, index: usize) -> PyResult<&Item> {
        self.items.get(index).ok_or_else(|| pyo3::exceptions::PyIndexError::new_err("there is no such item"))
    }

    pub fn tags(&self, range: Range) -> &[(Span, Span)] {
        self.shared.tags.get(range.start as usize..range.after.get() as usize - 1).unwrap_or_default()
    }

    /// Passes each tag of an item to `take`.
    pub fn each_tag<'py>(
        &self,
        py: Python<'py>,
        range: Range,
        mut take: impl FnMut(Bound<'py, PyString>, Bound<'py, PyString>) -> PyResult<()>,
    ) -> PyResult<()> {
        let mut cache = self.cache.try_lock().ok();
        for &(key, value) in self.tags(range) {
            let mut cached = |span| match &mut cache {
                Some(cache) => self.cached(py, cache, span),
                // Never block: the holder may be further up this stack.
                None => self.string(py, span),
            };
            take(cached(key)?, cached(value)?)?;
        }
        Ok(())
    }

    /// Returns a string that other items probably share, such as a status.
    pub fn shared_string<'py>(&self, py: Python<'py>, span: Span) -> PyResult<Bound<'py, PyString>> {
        match self.cache.try_lock() {
            Ok(mut cache) => self.cached(py, &mut cache, span),
            Err(_) => self.string(py, span),
        }
    }

    fn cached<'py>(&self, py: Python<'py>, cache: &mut Cache, span: Span) -> PyResult<Bound<'py, PyString>> {
        let Some(slot) = cache.slot(self.bytes(span)) else {
            return self.string(py, span);
        };
        match slot {
            Some((known, made)) if self.are_equal(*known, span) => Ok(made.bind(py).clone()),
            _ => {
                let made = self.string(py, span)?;
                *slot = Some((span, made.clone().unbind()));
                Ok(made)
            }
        }
    }

    /// Returns whether every item has each tag key once.
    fn tags_are_unique(&self) -> bool {
        /// Up to this many keys are compared pairwise, which is faster than sorting.
        const FEW: usize = 16;
        self.items.iter().filter_map(|item| item.tags).all(|range| {
            let tags = self.tags(range);
            if tags.len() > FEW {
                let mut keys: Vec<_> = tags.iter().map(|(key, _)| self.bytes(*key)).collect();
                keys.sort_unstable();
                return keys.windows(2).all(|pair| !matches!(pair, [one, other] if one == other));
            }
            let mut rest = tags;
            while let [(key, _), others @ ..] = rest {
                if others.iter().any(|(other, _)| self.are_equal(*key, *other)) {
                    return false;
                }
                rest = others;
            }
            true
        })
    }

    fn are_equal(&self, one: Span, other: Span) -> bool {
        one.len() == other.len() && self.bytes(one) == self.bytes(other)
    }

    pub fn bytes(&self, span: Span) -> &[u8] {
        let (all, start) = if span.size.get() & 2 != 0 {
            (self.shared.unescaped.as_bytes(), span.at)
        } else {
            (&*self.text, span.at.wrapping_sub(low(self.text.as_ptr())))
        };
        all.get(start as usize..).and_then(|rest| rest.get(..span.len())).unwrap_or_default()
    }

    pub fn text(&self, span: Span) -> &str {
        // All of a page was UTF-8 when it was decoded.
        str::from_utf8(self.bytes(span)).unwrap_or_default()
    }

    pub fn string<'py>(&self, py: Python<'py>, span: Span) -> PyResult<Bound<'py, PyString>> {
        PyString::from_bytes(py, self.bytes(span))
    }
}

/// Collects the strings of an item that is not part of a response.
pub struct Writer(Shared);

impl Writer {
    pub fn string(&mut self, string: &str) -> PyResult<Span> {
        push(&mut self.0.unescaped, string).ok_or_else(|| pyo3::exceptions::PyValueError::new_err(TOO_LONG))
    }

    pub fn tags<'a>(&mut self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> PyResult<Range> {
        for (key, value) in tags {
            let tag = (self.string(key)?, self.string(value)?);
            self.0.tags.push(tag);
        }
        Ok(Range::between(0, self.0.tags.len()))
    }
}

const TOO_LONG: &str = "it has a string that is too long";

fn push(unescaped: &mut String, string: &str) -> Option<Span> {
    let at = unescaped.len().try_into().ok()?;
    unescaped.push_str(string);
    Span::new(at, string.len(), true)
}

/// Appends an unescaped string of the page that is being decoded.
#[cold]
fn keep(string: &str) -> Option<Span> {
    let mut unescaped = UNESCAPED.take();
    let span = push(&mut unescaped, string);
    UNESCAPED.set(unescaped);
    span
}

impl Range {
    fn between(start: usize, end: usize) -> Self {
        let index = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        Self { start: index(start), after: NonZeroU32::MIN.saturating_add(index(end)) }
    }
}

impl Span {
    #[inline]
    fn new(at: u32, len: usize, escaped: bool) -> Option<Self> {
        let len = u32::try_from(len).ok().filter(|len| len.leading_zeros() >= 2)?;
        Some(Self { at, size: NonZeroU32::MIN | len << 2 | u32::from(escaped) << 1 })
    }

    const fn len(self) -> usize {
        self.size.get() as usize >> 2
    }

    #[inline]
    fn within(string: &str) -> Option<Self> {
        Self::new(low(string.as_ptr()), string.len(), false)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "strings of one text are told apart by the lower half")]
fn low(address: *const u8) -> u32 {
    address.addr() as u32
}

impl<'de> Deserialize<'de> for Span {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Strings;

        impl<'de> Visitor<'de> for Strings {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            #[inline]
            fn visit_borrowed_str<E: de::Error>(self, string: &'de str) -> Result<Span, E> {
                Span::within(string).ok_or_else(|| E::custom(TOO_LONG))
            }

            #[cold]
            fn visit_str<E: de::Error>(self, string: &str) -> Result<Span, E> {
                keep(string).ok_or_else(|| E::custom(TOO_LONG))
            }
        }

        deserializer.deserialize_str(Strings)
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Maps;

        impl<'de> Visitor<'de> for Maps {
            type Value = Range;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Range, A::Error> {
                TAGS.with(|gathered| {
                    let mut tags = gathered.take();
                    let start = tags.len();
                    while let Some(tag) = map.next_entry()? {
                        tags.push(tag);
                    }
                    let range = Range::between(start, tags.len());
                    gathered.set(tags);
                    Ok(range)
                })
            }
        }

        deserializer.deserialize_map(Maps)
    }
}

impl<'de> Deserialize<'de> for Moment {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Times;

        impl<'de> Visitor<'de> for Times {
            type Value = Moment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a timestamp")
            }

            #[inline]
            fn visit_borrowed_str<E: de::Error>(self, string: &'de str) -> Result<Moment, E> {
                moment(string, Span::within)
            }

            #[cold]
            fn visit_str<E: de::Error>(self, string: &str) -> Result<Moment, E> {
                moment(string, keep)
            }
        }

        #[inline]
        fn moment<E: de::Error>(text: &str, span: impl FnOnce(&str) -> Option<Span>) -> Result<Moment, E> {
            let span = if may_be_canonical(text) && Timestamp::is_timestamp(text) {
                span(text)
            } else {
                Timestamp::read(text).and_then(|at| keep(&at.to_string()))
            };
            span.map(Moment).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &"a timestamp"))
        }

        /// Returns whether a timestamp is in the form that `Timestamp` writes, provided that it is one.
        #[inline]
        fn may_be_canonical(text: &str) -> bool {
            let text = text.as_bytes();
            let in_utc = text.get(10) == Some(&b'T') && text.last() == Some(&b'Z');
            in_utc && (text.len() == 20 || text.len() == 27 && !text.ends_with(b".000000Z"))
        }

        deserializer.deserialize_str(Times)
    }
}
