//! The rule for sandbox ids.

use std::fmt;
use std::str::FromStr;

use crate::error::{Code, Error, quoted};
use crate::limits::MAX_SANDBOX_ID_CHARACTERS;

/// A sandbox id, which is valid as one segment of a path. It is unique within an org, not across orgs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SandboxId(String);

impl SandboxId {
    /// Returns the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Describes why a string is not a valid sandbox id; `None` if it is.
pub(crate) fn fault(id: &str) -> Option<String> {
    let characters = id.chars().count();
    if characters == 0 {
        return Some(format!("sandbox id is empty, 1 to {MAX_SANDBOX_ID_CHARACTERS} characters are allowed"));
    }
    if characters > MAX_SANDBOX_ID_CHARACTERS {
        return Some(format!(
            "sandbox id has {characters} characters, at most {MAX_SANDBOX_ID_CHARACTERS} are allowed"
        ));
    }
    if let Some(control) = id.chars().find(|c| c.is_control()) {
        return Some(format!("sandbox id contains the control character U+{:04X}", u32::from(control)));
    }
    matches!(id, "." | "..").then(|| format!("sandbox id {} is a path segment, not an id", quoted(id)))
}

impl FromStr for SandboxId {
    type Err = Error;

    fn from_str(id: &str) -> Result<Self, Error> {
        match fault(id) {
            Some(message) => Err(Code::InvalidSandboxId.error(message)),
            None => Ok(Self(id.to_owned())),
        }
    }
}

impl fmt::Display for SandboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
