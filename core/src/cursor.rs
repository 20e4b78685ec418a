//! The cursor: where a walk over pages stands, opaque to those who carry it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, quoted};
use crate::query::text_of;
use crate::raw::Raw;
use crate::window::{Timestamp, Window};

/// The last item of a page.
///
/// ```
/// use opencomputer_usage_core::cursor::Cursor;
///
/// let bare = Cursor { value: 8000.0, tie: "payments".to_owned(), walk: None };
/// assert_eq!(bare.encode()?, "eyJ2Ijo4MDAwLjAsInQiOiJwYXltZW50cyJ9");
/// assert_eq!(Cursor::decode(&bare.encode()?)?, bare);
/// # Ok::<(), opencomputer_usage_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    /// The item's sort value in GB-seconds.
    pub value: f64,
    /// The item's sandbox id or tag value, which breaks ties.
    pub tie: String,
    /// What pins the walk; absent in the platform's own cursors, which page on the float.
    pub walk: Option<Walk>,
}

/// What makes every page of a walk measure the same thing.
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

/// The JSON inside. Members stand in this order; the exact ones come together or not at all.
#[derive(Serialize, Deserialize)]
struct Wire {
    v: f64,
    t: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    f: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    u: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<String>,
}

#[derive(Serialize)]
struct Shown<'a> {
    v: f64,
    t: &'a str,
    #[serde(flatten)]
    walk: Option<ShownWalk<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownWalk<'a> {
    s: String,
    from: Timestamp,
    to: Timestamp,
    as_of: Timestamp,
    q: &'a str,
}

impl Cursor {
    /// Writes the cursor.
    ///
    /// # Errors
    ///
    /// `invalid_cursor` for a sort value that is no finite number.
    pub fn encode(&self) -> Result<String, Error> {
        if !self.value.is_finite() {
            return Err(invalid("its sort value is not a finite number"));
        }
        let walk = self.walk.as_ref();
        let wire = Wire {
            v: self.value,
            t: self.tie.clone(),
            s: walk.map(|walk| walk.sum.to_string()),
            f: walk.map(|walk| walk.window.from().micros()),
            u: walk.map(|walk| walk.window.to().micros()),
            n: walk.map(|walk| walk.as_of.micros()),
            q: walk.map(|walk| walk.digest.clone()),
        };
        let json = serde_json::to_vec(&wire).map_err(|error| invalid(&error.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(json))
    }

    /// Reads a cursor.
    ///
    /// # Errors
    ///
    /// `invalid_cursor`.
    pub fn decode(text: &str) -> Result<Self, Error> {
        let json = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| invalid(&format!("{} is not base64url without padding", quoted(text))))?;
        // A struct would also be read from an array.
        let json = str::from_utf8(&json).ok().filter(|json| json.trim_start().starts_with('{'));
        let wire = json.and_then(|json| serde_json::from_str::<Wire>(json).ok());
        let wire = wire.ok_or_else(|| invalid(&format!("{} does not hold what a cursor holds", quoted(text))))?;
        let instant = |micros| {
            Timestamp::from_micros(micros).ok_or_else(|| invalid("it holds an instant outside the years 0001 to 9999"))
        };
        let walk = match (wire.s, wire.f, wire.u, wire.n, wire.q) {
            (None, None, None, None, None) => None,
            (Some(sum), Some(from), Some(to), Some(as_of), Some(digest)) => {
                Some(Walk::read(&sum, instant(from)?, instant(to)?, instant(as_of)?, digest)?)
            }
            _ => return Err(partial()),
        };
        Ok(Self { value: wire.v, tie: wire.t, walk })
    }

    /// Takes a cursor as SDKs show it: `{ v, t, s?, from?, to?, asOf?, q? }`.
    ///
    /// # Errors
    ///
    /// `invalid_cursor`.
    pub fn from_raw(shown: &Raw) -> Result<Self, Error> {
        let Raw::Map(members) = shown else {
            return Err(invalid(&format!("it must be an object, got {}", shown.kind())));
        };
        let names = ["v", "t", "s", "from", "to", "asOf", "q"];
        let given = || members.iter().filter(|(_, value)| !value.is_absent());
        if let Some((name, _)) = given().find(|(name, _)| !names.iter().any(|known| name.as_str() == Some(known))) {
            let (name, names) = (quoted(&name.to_string()), names.join(", "));
            return Err(invalid(&format!("unknown member {name}, allowed are {names}")));
        }
        let member = |name| given().find(|(given, _)| given.as_str() == Some(name)).map(|(_, value)| value);
        let text = |name| {
            let text = member(name).map(text_of).transpose();
            text.map_err(|fault| invalid(&format!("`{name}`: {fault}")))
        };
        let instant = |name| {
            let text = text(name)?;
            text.map(|text| text.parse().map_err(|error: Error| invalid(&error.message))).transpose()
        };
        let value = match member("v") {
            Some(Raw::Number(value)) => *value,
            _ => return Err(invalid("`v` must be a number")),
        };
        let tie = text("t")?.ok_or_else(|| invalid("`t` must be a string"))?;
        let walk = match (text("s")?, instant("from")?, instant("to")?, instant("asOf")?, text("q")?) {
            (None, None, None, None, None) => None,
            (Some(s), Some(from), Some(to), Some(as_of), Some(q)) => Some(Walk::read(&s, from, to, as_of, q)?),
            _ => return Err(partial()),
        };
        Ok(Self { value, tie, walk })
    }
}

/// As SDKs show it, times as RFC 3339: microseconds outgrow a JavaScript number.
impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let walk = self.walk.as_ref().map(|walk| ShownWalk {
            s: walk.sum.to_string(),
            from: walk.window.from(),
            to: walk.window.to(),
            as_of: walk.as_of,
            q: &walk.digest,
        });
        Shown { v: self.value, t: &self.tie, walk }.serialize(serializer)
    }
}

impl Walk {
    fn read(s: &str, from: Timestamp, to: Timestamp, as_of: Timestamp, digest: String) -> Result<Self, Error> {
        let sum = s.parse().ok().filter(|sum: &u128| sum.to_string() == s);
        let sum = sum.ok_or_else(|| invalid(&format!("its exact value {} is not a decimal number", quoted(s))))?;
        let window = Window::new(from, to).map_err(|error| invalid(&error.message))?;
        if !to.can_end_a_window() || !as_of.can_end_a_window() {
            return Err(invalid("it holds an instant before the years that can be asked for"));
        }
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digest.len() != 16 || !digest.bytes().all(hex) {
            return Err(invalid(&format!("its digest {} is not 16 hex digits", quoted(&digest))));
        }
        Ok(Self { sum, window, as_of, digest })
    }
}

fn partial() -> Error {
    invalid("it holds only a part of the exact value, window, instant and digest")
}

pub(crate) fn invalid(fault: &str) -> Error {
    Code::InvalidCursor.error(format!("invalid cursor: {fault}"))
}
