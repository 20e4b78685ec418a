//! `state`: the sandboxes to list, by whether they run.

use super::parameter::{Digest, Digested, Parameter, QueryString};
use super::parameters::Parameters;
use crate::error::{Code, Error, quoted};

pub(super) const NAME: &str = "state";

/// The sandboxes to list, by their latest session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// `running`: those whose latest session is running.
    #[default]
    Running,
    /// `all`: also those that were torn down.
    All,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 2] = [Self::Running, Self::All];

    /// Returns the wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::All => "all",
        }
    }

    fn read(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
            Code::InvalidState.error(format!("invalid `{NAME}` {}, allowed: `running` and `all`", quoted(text)))
        })
    }
}

/// Parses the parameter, or returns the default.
pub(super) fn parse(parameters: &Parameters) -> Result<State, Error> {
    Ok(parameters.read(NAME, Code::InvalidState, State::read)?.unwrap_or_default())
}

impl Parameter for State {
    fn write(&self, query: &mut QueryString) {
        if *self != Self::default() {
            query.push(NAME, self.as_str());
        }
    }
}

impl Digested for State {
    fn digest(&self, digest: &mut Digest) {
        digest.field(self.as_str());
    }
}
