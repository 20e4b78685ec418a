//! What can go wrong below the seam.

use std::error::Error;

/// Why a store could not do what it was asked to. The text is for the log, never for a client; it holds the cause, which
/// therefore is no source, too.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is busy or cannot be reached; the same call may work later.
    #[error("the database is unavailable: {0}")]
    Unavailable(Box<dyn Error + Send + Sync>),
    /// Anything else.
    #[error("the database failed: {0}")]
    Internal(Box<dyn Error + Send + Sync>),
}

impl StoreError {
    pub(super) fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }
}

/// Why a database could not be opened, for the one who named it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names an engine that this version does not have.
    #[error("{0}")]
    Unsupported(String),
    /// There is no database there, and none can be made.
    #[error("cannot open the database {place}: {reason}")]
    Unreachable {
        /// Where it should be.
        place: String,
        /// What the engine says.
        reason: String,
    },
    /// It was last used by a later version.
    #[error("the database has schema version {found}, this program knows versions up to {known}")]
    Newer {
        /// What the database has.
        found: u32,
        /// What this program can make.
        known: u32,
    },
}
