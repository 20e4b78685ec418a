//! `from` and `to`: the window.

use super::parameter::{Digest, Digested, Parameter, QueryString};
use super::parameters::{Names, Parameters};
use crate::error::{Code, Error};
use crate::usage::window::{Timestamp, Window};

pub(super) const FROM: &str = "from";
pub(super) const TO: &str = "to";

/// The parameters of a drilldown.
pub(crate) const NAMES: Names = Names { scalars: &[FROM, TO], maps: &[] };

/// A window as requested. The server fills in missing ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl Period {
    /// Creates a period from the given ends, which must form a window if both are given.
    ///
    /// # Errors
    ///
    /// `invalid_window`, `window_too_large`.
    pub fn new(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Self, Error> {
        if let (Some(from), Some(to)) = (from, to) {
            Window::new(from, to)?;
        }
        Ok(Self { from, to })
    }

    /// Returns the start, if it was given.
    #[must_use]
    pub const fn from(self) -> Option<Timestamp> {
        self.from
    }

    /// Returns the end, if it was given.
    #[must_use]
    pub const fn to(self) -> Option<Timestamp> {
        self.to
    }

    /// Returns the window. A missing end is `as_of`; a missing start precedes the end by the default length.
    ///
    /// # Errors
    ///
    /// `invalid_window`, `window_too_large`, because the missing ends are known only now.
    pub fn resolve(self, as_of: Timestamp) -> Result<Window, Error> {
        Window::ending_at(self.to.unwrap_or(as_of), self.from)
    }
}

/// Parses the parameters.
pub(super) fn parse(parameters: &Parameters) -> Result<Period, Error> {
    let end = |name| parameters.read(name, Code::InvalidTimestamp, str::parse);
    Period::new(end(FROM)?, end(TO)?)
}

/// Parses the parameters of a drilldown: a window and nothing else.
///
/// # Errors
///
/// Every code of a window, `unknown_parameter` and `duplicate_parameter`.
pub fn parse_period(parameters: &Parameters) -> Result<Period, Error> {
    parameters.check_names(NAMES)?;
    parse(parameters)
}

impl Parameter for Period {
    fn write(&self, query: &mut QueryString) {
        for (name, end) in [(FROM, self.from), (TO, self.to)] {
            if let Some(end) = end {
                query.push(name, &end.to_string());
            }
        }
    }
}

impl Digested for Period {
    fn digest(&self, _: &mut Digest) {
        // A cursor contains the window itself.
    }
}
