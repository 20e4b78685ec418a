//! What can go wrong below the seam.

use std::error::Error;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;
use uuid::Uuid;

/// Why a store could not do what it was asked to. The text is for the log, never for a client; it holds the cause, which
/// therefore is no source, too.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is busy, full or away; the same call may work later.
    #[error("the database is unavailable: {0}")]
    Unavailable(Box<dyn Error + Send + Sync>),
    /// A statement took longer than a request may, and was cancelled.
    #[error("the database took too long: {0}")]
    TimedOut(Box<dyn Error + Send + Sync>),
    /// The database's user lacks a privilege.
    #[error("the database does not allow it: {0}")]
    Denied(Box<dyn Error + Send + Sync>),
    /// All connections for this kind of work are in use; the same call may work later.
    #[error("no connection for {queue} was free within {} s", waited.as_secs())]
    Crowded {
        /// The kind of work.
        queue: &'static str,
        /// Whether the caller's own org uses its whole share.
        by_caller: bool,
        /// How long the call waited.
        waited: Duration,
    },
    /// Another transaction, such as an import, holds what this one writes to.
    #[error("another transaction, such as an import, held a lock for {} s", waited.as_secs())]
    Locked {
        /// How long the call waited.
        waited: Duration,
    },
    /// The org is unknown, and the platform's to create.
    #[error("there is no org {0}, and on a platform's database only the platform makes one")]
    UnknownOrg(Uuid),
    /// The platform knows more of its hibernated sandboxes than this program.
    #[error("this database has `sandbox_hibernations`: here the platform itself reconciles its workers")]
    PlatformReconciles,
    /// A new key could not be shown, so it was not stored.
    #[error("cannot write to standard output: {0}")]
    NotShown(std::io::Error),
    /// Anything else.
    #[error("the database failed: {0}")]
    Internal(Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// Whether the storage did not take a write: it is full, broken or read-only.
    pub(super) fn is_of_storage(&self) -> bool {
        let (Self::Unavailable(cause) | Self::Internal(cause)) = self else { return false };
        let Some(sqlx::Error::Database(cause)) = cause.downcast_ref::<sqlx::Error>() else { return false };
        let code = cause.code().unwrap_or_default();
        if cause.try_downcast_ref::<PgDatabaseError>().is_some() {
            // A full disk, an I/O error, a read-only transaction.
            return matches!(&*code, "53100" | "58030" | "25006");
        }
        // SQLite's READONLY, IOERR, CORRUPT, FULL, CANTOPEN and NOTADB.
        matches!(code.parse::<u32>().map(|code| code & 0xff), Ok(8 | 10 | 11 | 13 | 14 | 26))
    }

    pub(super) fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => {
                Self::Unavailable(error.into())
            }
            E::Database(cause) => match of_database(&**cause) {
                Kind::Passing => Self::Unavailable(error.into()),
                Kind::Locked => Self::Locked { waited: Duration::ZERO },
                Kind::TimedOut => Self::TimedOut(error.into()),
                Kind::Denied => Self::Denied(error.into()),
                Kind::Other => Self::internal(error),
            },
            _ => Self::internal(error),
        }
    }
}

enum Kind {
    Passing,
    Locked,
    TimedOut,
    Denied,
    Other,
}

fn of_database(error: &dyn DatabaseError) -> Kind {
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        let class = code.get(..2).unwrap_or_default();
        return match (class, &*code) {
            // Cancelled by the statement's time limit.
            (_, "57014") => Kind::TimedOut,
            (_, "42501") => Kind::Denied,
            // Not locked within the time limit of locks.
            (_, "55P03") => Kind::Locked,
            // Connection lost or refused, lack of resources, shutting down, no such database or one that is closed for
            // now; a deadlock, or a primary that has become a standby.
            ("08" | "28" | "3D" | "53" | "57", _) | (_, "55000" | "40001" | "40P01" | "25006") => Kind::Passing,
            _ => Kind::Other,
        };
    }
    // SQLite's BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN, and INTERRUPT: the low byte of an extended code.
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(5 | 6 | 8 | 10 | 13 | 14) => Kind::Passing,
        Ok(9) => Kind::TimedOut,
        _ => Kind::Other,
    }
}

/// What the engine says, without sqlx's own words around it.
pub(super) fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
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
    /// A pooler that hands connections from client to client.
    #[error(
        "a connection pooler in {0} mode stands before PostgreSQL, and this server needs one in session mode (PgBouncer: \
         `pool_mode = session`)"
    )]
    Pooled(&'static str),
    /// A connection holds the lock of migrations and does nothing.
    #[error(
        "the lock of migrations is held by an idle connection, process {0} of the database: a connection pooler in \
         transaction mode leaves one behind. End it there with `SELECT pg_terminate_backend({0})`"
    )]
    Locked(i32),
    /// There are tables that this program can neither use nor make.
    #[error("the database is neither empty nor a platform's: {0}")]
    Unsuitable(String),
    /// A table or a column that it had has gone.
    #[error("the database has lost a part of its schema: {0}")]
    Damaged(String),
    /// It was last used by a later version.
    #[error("the database has schema version {found}, this program knows versions up to {known}")]
    Newer {
        /// What the database has.
        found: u32,
        /// What this program can make.
        known: u32,
    },
}
