//! Errors of stores.

use std::error::Error;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;
use uuid::Uuid;

/// The reason why a store failed. The text is for the log, never for a client. It contains the cause, which is
/// therefore not a `source` as well.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is busy, full or unreachable. The same call may succeed later.
    #[error("the database is unavailable: {0}")]
    Unavailable(Box<dyn Error + Send + Sync>),
    /// A statement was cancelled at its time limit.
    #[error("the database took too long: {0}")]
    TimedOut(Box<dyn Error + Send + Sync>),
    /// The database's user lacks a privilege.
    #[error("the database does not allow it: {0}")]
    Denied(Box<dyn Error + Send + Sync>),
    /// All connections for this kind of work are in use. The same call may succeed later.
    #[error("no connection for {queue} was free within {} s", waited.as_secs())]
    Crowded {
        /// The kind of work.
        queue: &'static str,
        /// Whether the caller's own org uses its whole share.
        by_caller: bool,
        /// The time for which the call waited.
        waited: Duration,
    },
    /// Another transaction, such as an import, holds a lock that this one needs.
    #[error("another transaction, such as an import, held a lock for {} s", waited.as_secs())]
    Locked {
        /// The time for which the call waited.
        waited: Duration,
    },
    /// The org is unknown, and only the platform may create it.
    #[error("there is no org {0}, and only the platform can create orgs in its database")]
    UnknownOrg(Uuid),
    /// The platform records hibernated sandboxes in a table that this program does not support.
    #[error("this database has `sandbox_hibernations`, so the platform reconciles its workers itself")]
    PlatformReconciles,
    /// The database has no table of samples, or its user may not read it.
    #[error("the database has no table `sandbox_usage_samples`, or its user may not read it")]
    NoSamples,
    /// A platform identifies samples by sandbox and time alone.
    #[error(
        "another org has a sample of the same sandbox id and time, and the platform's table holds only one of them"
    )]
    SampleOfAnotherOrg,
    /// A new key could not be shown, so it was not stored.
    #[error("cannot write to standard output: {0}")]
    NotShown(std::io::Error),
    /// Anything else.
    #[error("the database failed: {0}")]
    Internal(Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// Returns whether the storage failed a write, because it is full, broken or read-only.
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
            // The time limit of locks.
            (_, "55P03") => Kind::Locked,
            // Connection lost or refused, insufficient resources, shutdown, no such database or one that does not
            // accept connections; a deadlock, or a primary that became a standby.
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

/// Returns the engine's message without sqlx's prefix.
pub(super) fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}

/// The reason why a database could not be opened, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is not supported.
    #[error("{0}")]
    Unsupported(String),
    /// The database does not exist or cannot be reached or created.
    #[error("cannot open the database {place}: {reason}")]
    Unreachable {
        /// The location of the database.
        place: String,
        /// The engine's message.
        reason: String,
    },
    /// The server does not offer TLS, or its certificate is rejected.
    #[error(
        "cannot open the database {place}: TLS failed: {fault}. In its URL, `sslmode=verify-full&sslrootcert=FILE` \
         trusts the authority in FILE, and `sslmode=disable` connects without TLS"
    )]
    Tls {
        /// The location of the database.
        place: String,
        /// The reason.
        fault: String,
    },
    /// A pooler does not keep a connection for one client.
    #[error(
        "the connection pooler in front of PostgreSQL is in {0} mode, but must be in session mode (PgBouncer: \
         `pool_mode = session`)"
    )]
    Pooled(&'static str),
    /// An idle connection holds the lock of migrations.
    #[error(
        "the lock of migrations is held by an idle connection, process {0} of the database: a connection pooler in \
         transaction mode leaves one behind. End it there with `SELECT pg_terminate_backend({0})`"
    )]
    Locked(i32),
    /// The database has tables that this program can neither use nor create.
    #[error("the database is neither empty nor a platform's: {0}")]
    Unsuitable(String),
    /// A table or column is missing.
    #[error("the schema of the database is incomplete: {0}")]
    Damaged(String),
    /// It was migrated by a later version of this program.
    #[error("the database has schema version {found}, this program knows versions up to {known}")]
    Newer {
        /// The version of the database.
        found: u32,
        /// The latest version that this program knows.
        known: u32,
    },
}
