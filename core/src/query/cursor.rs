//! `cursor`: the position in a walk over pages, opaque to clients.

use super::parameter::{Digest, Digested, Parameter, QueryString};
use super::parameters::Parameters;
use crate::base64url;
use crate::error::{Code, Error, quoted};
use crate::host::Decimal;
use crate::host::json::{Json, ToJson, object};
use crate::host::value::{Raw, text_of};
use crate::usage::window::{Timestamp, Window};

pub(super) const NAME: &str = "cursor";

/// The last item of a page.
///
/// ```
/// use opencomputer_usage_core::query::cursor::Cursor;
///
/// let bare = Cursor::decode("eyJ2Ijo4MDAwLjAsInQiOiJwYXltZW50cyJ9")?;
/// assert_eq!((bare.value.get(), bare.tie.as_str()), (8000.0, "payments"));
/// assert_eq!(bare.encode(), "eyJ2Ijo4MDAwLjAsInQiOiJwYXltZW50cyJ9");
/// # Ok::<(), opencomputer_usage_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    /// The item's sort value in GB-seconds.
    pub value: SortValue,
    /// The item's sandbox id or tag value, which breaks ties.
    pub tie: String,
    /// The values that pin the walk; `None` in the platform's own cursors, which contain only the float.
    pub walk: Option<Walk>,
}

/// The values that every page of a walk shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The item's exact sort value in MB × µs.
    pub sum: u128,
    /// The window of the first page.
    pub window: Window,
    /// The instant of the first page.
    pub as_of: Timestamp,
    /// The query's digest.
    pub digest: String,
}

/// Formats a number with the fewest digits that identify it.
#[must_use]
pub fn shortest(number: f64) -> String {
    format!("{number:e}")
}

/// A sort value in GB-seconds: a finite number, kept as its JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortValue(String);

impl SortValue {
    /// Converts a number; `None` if it is not finite.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        Self::of(&shortest(value))
    }

    /// Converts the text of a number; `None` if it is not finite.
    fn of(text: &str) -> Option<Self> {
        Decimal::read(text).filter(Decimal::is_finite).map(|number| Self(number.write()))
    }

    /// Returns the number.
    #[must_use]
    pub fn get(&self) -> f64 {
        // The text of a number always parses.
        self.0.parse().unwrap_or_default()
    }
}

impl ToJson for SortValue {
    fn write_json(&self, out: &mut String) {
        out.push_str(&self.0);
    }
}

impl Cursor {
    /// Encodes the cursor.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut json = String::new();
        self.write(&mut json, ["f", "u", "n"], |instant, out| instant.micros().write_json(out));
        base64url::encode(json.as_bytes())
    }

    /// Writes the members in order, with the given names and the given format of instants.
    fn write(&self, out: &mut String, names: [&str; 3], write: fn(&Timestamp, &mut String)) {
        let mut members: Vec<(&str, &dyn ToJson)> = vec![("v", &self.value), ("t", &self.tie)];
        let Some(Walk { sum, window, as_of, digest }) = &self.walk else {
            return object(out, &members);
        };
        let sum = sum.to_string();
        let instants = [window.from(), window.to(), *as_of].map(|instant| Instant(instant, write));
        members.push(("s", &sum));
        members.extend(names.into_iter().zip(instants.iter().map(|instant| instant as &dyn ToJson)));
        members.push(("q", digest));
        object(out, &members);
    }

    /// Decodes a cursor.
    ///
    /// # Errors
    ///
    /// `invalid_cursor`.
    pub fn decode(text: &str) -> Result<Self, Error> {
        let json = json(text)?;
        let json = Json::parse(&json).ok();
        let wire = json.as_ref().and_then(Wire::read);
        let wire = wire.ok_or_else(|| invalid(&format!("{} does not decode to a cursor", quoted(text))))?;
        let instant = |micros| {
            Timestamp::from_micros(micros)
                .ok_or_else(|| invalid("it contains an instant outside the years 0001 to 9999"))
        };
        let walk = match (wire.s, wire.f, wire.u, wire.n, wire.q) {
            (None, None, None, None, None) => None,
            (Some(sum), Some(from), Some(to), Some(as_of), Some(digest)) => {
                Some(Walk::read(sum, instant(from)?, instant(to)?, instant(as_of)?, digest)?)
            }
            _ => return Err(partial()),
        };
        Ok(Self { value: wire.v, tie: wire.t.to_owned(), walk })
    }

    /// Converts a cursor as SDKs show it: `{ v, t, s?, from?, to?, asOf?, q? }`. `shortest`
    /// formats a number as the host does; [`shortest`] is the way of Rust hosts.
    ///
    /// # Errors
    ///
    /// `invalid_cursor`.
    pub fn from_raw(shown: &Raw, shortest: impl FnOnce(f64) -> String) -> Result<Self, Error> {
        let Raw::Map(members) = shown else {
            return Err(invalid(&format!("it must be an object, got {}", shown.kind())));
        };
        let names = ["v", "t", "s", "from", "to", "asOf", "q"].map(str::to_owned);
        let given = || members.iter().filter(|(_, value)| !value.is_absent());
        if let Some((name, _)) = given().find(|(name, _)| !names.iter().any(|known| name.as_str() == Some(known))) {
            let (name, names) = (quoted(&name.to_string()), names.join(", "));
            return Err(invalid(&format!("unknown member {name}, allowed: {names}")));
        }
        let member = |name| given().find(|(given, _)| given.as_str() == Some(name)).map(|(_, value)| value);
        let text = |name| {
            let text = member(name).map(text_of).transpose();
            text.map_err(|fault| invalid(&format!("`{name}`: {fault}")))
        };
        let instant = |name| {
            let read = |text: String| Timestamp::read(&text).ok_or_else(|| invalid(&Timestamp::invalid(&text).message));
            text(name)?.map(read).transpose()
        };
        let Some(Raw::Number(value)) = member("v") else {
            return Err(invalid("`v` must be a number"));
        };
        let value = SortValue::of(&shortest(*value)).ok_or_else(|| invalid("its sort value is not a finite number"))?;
        let tie = text("t")?.ok_or_else(|| invalid("`t` must be a string"))?;
        let walk = match (text("s")?, instant("from")?, instant("to")?, instant("asOf")?, text("q")?) {
            (None, None, None, None, None) => None,
            (Some(s), Some(from), Some(to), Some(as_of), Some(q)) => Some(Walk::read(&s, from, to, as_of, &q)?),
            _ => return Err(partial()),
        };
        Ok(Self { value, tie, walk })
    }
}

/// The form that SDKs return. Times are in RFC 3339, because microseconds exceed a JavaScript number.
impl ToJson for Cursor {
    fn write_json(&self, out: &mut String) {
        self.write(out, ["from", "to", "asOf"], |instant, out| instant.to_string().write_json(out));
    }
}

/// An instant and its format.
struct Instant(Timestamp, fn(&Timestamp, &mut String));

impl ToJson for Instant {
    fn write_json(&self, out: &mut String) {
        self.1(&self.0, out);
    }
}

/// The JSON of a cursor.
struct Wire<'a> {
    v: SortValue,
    t: &'a str,
    s: Option<&'a str>,
    f: Option<i64>,
    u: Option<i64>,
    n: Option<i64>,
    q: Option<&'a str>,
}

impl<'a> Wire<'a> {
    fn read(json: &'a Json<'a>) -> Option<Self> {
        let given = |name| Some(json.member(name).ok()?.filter(|value| **value != Json::Null));
        let text = |name| given(name)?.map_or(Some(None), |value| Some(Some(value.as_str()?)));
        let number = |name| match given(name)? {
            None => Some(None),
            Some(Json::Number(number)) => Some(Some(*number)),
            Some(_) => None,
        };
        let micros = |name| number(name)?.map_or(Some(None), |number| Some(Some(number.parse().ok()?)));
        Some(Self {
            v: SortValue(number("v")??.to_owned()),
            t: text("t")??,
            s: text("s")?,
            f: micros("f")?,
            u: micros("u")?,
            n: micros("n")?,
            q: text("q")?,
        })
    }
}

impl Walk {
    fn read(s: &str, from: Timestamp, to: Timestamp, as_of: Timestamp, digest: &str) -> Result<Self, Error> {
        let canonical = s == "0" || s.starts_with(|c: char| matches!(c, '1'..='9'));
        let sum = s.parse().ok().filter(|_: &u128| canonical);
        let sum = sum.ok_or_else(|| invalid(&format!("its exact value {} is not a decimal number", quoted(s))))?;
        // The query decides whether the window may be longer than others.
        let window = Window::of_days(from, to).map_err(|error| invalid(&error.message))?;
        if !to.can_end_a_window() || !as_of.can_end_a_window() {
            return Err(invalid("it contains an instant before the earliest possible window"));
        }
        if !is_digest(digest) {
            return Err(invalid(&format!("its digest {} is not 16 hex digits", quoted(digest))));
        }
        Ok(Self { sum, window, as_of, digest: digest.to_owned() })
    }
}

/// Returns whether a text is 16 hex digits.
pub(super) fn is_digest(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns the JSON text of a cursor.
pub(super) fn json(text: &str) -> Result<String, Error> {
    let bytes = base64url::decode(text)
        .ok_or_else(|| invalid(&format!("{} is not base64url without padding", quoted(text))))?;
    String::from_utf8(bytes).map_err(|_| invalid(&format!("{} does not decode to a cursor", quoted(text))))
}

fn partial() -> Error {
    invalid("it contains only a part of the exact value, window, instant and digest")
}

pub(crate) fn invalid(fault: &str) -> Error {
    Code::InvalidCursor.error(format!("invalid cursor: {fault}"))
}

/// A decoded cursor with its original text, which is sent unchanged.
#[derive(Clone, Debug, PartialEq)]
pub struct CursorText {
    text: String,
    cursor: Cursor,
}

impl CursorText {
    /// Returns the text as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the cursor.
    pub(crate) const fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    fn read(text: &str) -> Result<Self, Error> {
        Ok(Self { text: text.to_owned(), cursor: Cursor::decode(text)? })
    }
}

/// Parses the parameter, if it is given.
pub(super) fn parse(parameters: &Parameters) -> Result<Option<CursorText>, Error> {
    parameters.read(NAME, Code::InvalidCursor, CursorText::read)
}

impl Parameter for Option<CursorText> {
    fn write(&self, query: &mut QueryString) {
        if let Some(cursor) = self {
            query.push(NAME, &cursor.text);
        }
    }
}

impl Digested for Option<CursorText> {
    fn digest(&self, _: &mut Digest) {
        // A cursor is bound to its query, not to the previous cursor.
    }
}
