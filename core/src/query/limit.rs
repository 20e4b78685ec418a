//! `limit`: the number of items of a page.

use super::parameter::{Digest, Digested, Parameter, QueryString};
use super::parameters::{Parameters, Scalar};
use crate::error::{Code, Error, quoted};
use crate::host::value::{Raw, whole_number};
use crate::limits::{DEFAULT_LIST_LIMIT, DEFAULT_PAGE_LIMIT, MAX_PAGE_LIMIT};

pub(super) const NAME: &str = "limit";

/// The number of items of a page, within the limits of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<const DEFAULT: usize = DEFAULT_PAGE_LIMIT>(usize);

/// The number of items of a page of a list.
pub type ListLimit = Limit<DEFAULT_LIST_LIMIT>;

impl<const DEFAULT: usize> Limit<DEFAULT> {
    /// Returns the number of items.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }
}

impl<const DEFAULT: usize> Default for Limit<DEFAULT> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

/// Parses the parameter, or returns the default.
pub(super) fn parse<const DEFAULT: usize>(parameters: &Parameters) -> Result<Limit<DEFAULT>, Error> {
    Ok(given(parameters)?.map_or_else(Limit::default, Limit))
}

fn given(parameters: &Parameters) -> Result<Option<usize>, Error> {
    let invalid = |fault: String| Code::InvalidLimit.error(format!("invalid `{NAME}`: {fault}"));
    let limit = match parameters.scalar(NAME) {
        None => return Ok(None),
        Some(Scalar::Option(Raw::Number(number))) => {
            let whole = whole_number(*number)
                .ok_or_else(|| invalid(format!("it must be a whole number from 1 to {MAX_PAGE_LIMIT}")))?;
            read(&whole.to_string())
        }
        Some(Scalar::Option(value)) => {
            Err(invalid(format!("it must be a whole number from 1 to {MAX_PAGE_LIMIT}, got {}", value.kind())))
        }
        Some(Scalar::Wire(text)) => read(text.as_deref().map_err(|fault| invalid(fault.clone()))?),
    };
    limit.map(Some)
}

fn read(text: &str) -> Result<usize, Error> {
    let limit = text.parse().ok();
    let limit = limit.filter(|limit| (1..=MAX_PAGE_LIMIT).contains(limit) && limit.to_string() == text);
    limit.ok_or_else(|| {
        let text = quoted(text);
        let message = format!("invalid `{NAME}` {text}, allowed: whole numbers from 1 to {MAX_PAGE_LIMIT}");
        Code::InvalidLimit.error(message)
    })
}

impl<const DEFAULT: usize> Parameter for Limit<DEFAULT> {
    fn write(&self, query: &mut QueryString) {
        if *self != Self::default() {
            query.push(NAME, &self.0.to_string());
        }
    }
}

impl<const DEFAULT: usize> Digested for Limit<DEFAULT> {
    fn digest(&self, _: &mut Digest) {
        // A walk may change the size of its pages.
    }
}
