//! Walks over pages: the parameters of the next call, and the cursors followed so far.

use std::fmt::{self, Write as _};

use crate::error::{Code, Error};
use crate::host::json::{ToJson, entries};
use crate::host::value::{Raw, Text, text_of};
use crate::query::cursor::CursorText;
use crate::query::{End, Period, UsageQuery};
use crate::usage::window::Timestamp;
use crate::wire::reply::Page;

/// The parameters that turn the call for one page into the call for the next.
///
/// For a page of usage, they pin the window, because the cursors of some servers do not. They always contain the state
/// of the walk, so that a cursor that leads back to an earlier page is detected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextPage {
    cursor: String,
    window: Option<[End; 2]>,
    walk: Walk,
}

impl NextPage {
    /// Returns the cursor of the next page.
    #[must_use]
    pub fn cursor(&self) -> &str {
        &self.cursor
    }

    /// Returns the parameters by name. They replace those of the call that returned the page.
    #[must_use]
    pub fn into_params(self) -> impl ExactSizeIterator<Item = (&'static str, String)> {
        self.params().into_iter()
    }

    fn params(&self) -> Vec<(&'static str, String)> {
        let mut params = vec![("cursor", self.cursor.clone())];
        if let Some([from, to]) = &self.window {
            params.push(("from", from.to_string()));
            params.push(("to", to.to_string()));
        }
        params.push(("walk", self.walk.to_string()));
        params
    }
}

impl ToJson for NextPage {
    fn write_json(&self, out: &mut String) {
        entries(out, self.params());
    }
}

/// The state of a walk. A new walk starts with the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// The `asOf` of the first page, if the server sends one.
    as_of: Option<Timestamp>,
    /// The hashes of the cursors followed so far.
    followed: Vec<u64>,
}

impl Walk {
    /// Removes the parameter that [`NextPage::into_params`] added, and parses it.
    pub(super) fn take(params: &mut Vec<(Text, Raw)>) -> Result<Self, Error> {
        let Some(position) = params.iter().position(|(name, _)| name.as_str() == Some("walk")) else {
            return Ok(Self::default());
        };
        let value = params.swap_remove(position).1;
        let invalid = || Code::InvalidCursor.error("invalid `walk`: it does not come from a page");
        let text = text_of(&value).map_err(|_| invalid())?;
        let (as_of, followed) = text.split_once(';').ok_or_else(invalid)?;
        let as_of = if as_of.is_empty() { None } else { Some(Timestamp::read(as_of).ok_or_else(invalid)?) };
        let hash = |text: &str| u64::from_str_radix(text, 16).map_err(|_| invalid());
        let followed = followed.split(',').filter(|text| !text.is_empty()).map(hash).collect::<Result<_, _>>()?;
        Ok(Self { as_of, followed })
    }

    /// Returns the `asOf` of every page of the walk.
    pub(super) const fn as_of(&self) -> Option<Timestamp> {
        self.as_of
    }

    /// Returns the parameters after this page; `None` if its cursor was followed before.
    pub(super) fn next(&self, query: &UsageQuery, page: &Page, cursor: &str) -> Option<NextPage> {
        let mut walk = self.following(query.cursor.as_ref().map(CursorText::as_str), cursor)?;
        walk.as_of = walk.as_of.or(page.as_of);
        Some(NextPage { cursor: cursor.to_owned(), window: Some(ends(query, page)), walk })
    }

    /// Returns the parameters after a page of a list, which was requested with the cursor `sent`; `None` if its cursor was
    /// followed before.
    pub(super) fn next_of_list(&self, sent: Option<&str>, cursor: &str) -> Option<NextPage> {
        let walk = self.following(sent, cursor)?;
        Some(NextPage { cursor: cursor.to_owned(), window: None, walk })
    }

    /// Returns the walk after a page that was requested with the cursor `sent` and leads to `cursor`; `None` if that cursor
    /// was followed before.
    fn following(&self, sent: Option<&str>, cursor: &str) -> Option<Self> {
        let mut walk = self.clone();
        walk.followed.extend(sent.map(hash));
        (!walk.followed.contains(&hash(cursor))).then_some(walk)
    }
}

/// Returns the window of a first page's response, if the query had no window and the server's cursors do not pin one.
///
/// Such a server rounds the window in its response. The following pages use the rounded window, so together with a
/// first page in the exact window they could repeat or skip a group.
pub(super) fn pinned(query: &UsageQuery, page: &Page) -> Option<Period> {
    let period = query.span.period;
    let open = period.from().is_none() || period.to().is_none();
    if !open || page.as_of.is_some() || page.next_cursor.is_none() || query.cursor.is_some() {
        return None;
    }
    let [from, to] = ends(query, page);
    Period::new(Some(from), Some(to)).ok()
}

/// Returns the window of a walk: the given ends, and the others from its first page. A server may round the window in
/// its response.
fn ends(query: &UsageQuery, page: &Page) -> [End; 2] {
    let period = query.span.period;
    [period.from().unwrap_or(End::Instant(page.from)), period.to().unwrap_or(End::Instant(page.to))]
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(as_of) = self.as_of {
            write!(f, "{as_of}")?;
        }
        f.write_char(';')?;
        self.followed.iter().enumerate().try_for_each(|(index, hash)| {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{hash:x}")
        })
    }
}

/// Returns the FNV-1a hash. It is small, and two of a million cursors collide with a probability below 10⁻⁷.
fn hash(cursor: &str) -> u64 {
    cursor.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
