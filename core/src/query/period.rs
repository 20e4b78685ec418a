//! `from` and `to`: the window.

use super::parameter::{Digest, Parameter, QueryString};
use super::parameters::{Names, Parameters};
use crate::error::{Code, Error};
use crate::usage::window::{Timestamp, Window};

pub(super) const FROM: &str = "from";
pub(super) const TO: &str = "to";

/// A window as it was asked for: either end may be left to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl Period {
    /// Takes the ends that are known; where both are, they must make a window.
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

    /// The start, where it was given.
    #[must_use]
    pub const fn from(self) -> Option<Timestamp> {
        self.from
    }

    /// The end, where it was given.
    #[must_use]
    pub const fn to(self) -> Option<Timestamp> {
        self.to
    }

    /// The window, an absent end being `as_of` and an absent start thirty days before the end.
    ///
    /// # Errors
    ///
    /// `invalid_window`, `window_too_large`, as the ends that were left open are known only now.
    pub fn resolve(self, as_of: Timestamp) -> Result<Window, Error> {
        Window::ending_at(self.to.unwrap_or(as_of), self.from)
    }
}

/// Reads the parameters.
pub(super) fn parse(parameters: &Parameters) -> Result<Period, Error> {
    let end = |name| parameters.read(name, Code::InvalidTimestamp, str::parse);
    Period::new(end(FROM)?, end(TO)?)
}

/// Reads the parameters of a drilldown: a window and nothing else.
///
/// # Errors
///
/// Every code of a window, `unknown_parameter` and `duplicate_parameter`.
pub fn parse_period(parameters: &Parameters) -> Result<Period, Error> {
    parameters.check_names(Names { scalars: &[FROM, TO], maps: &[] })?;
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

    fn digest(&self, _: &mut Digest) {
        // A cursor holds the window itself.
    }
}
