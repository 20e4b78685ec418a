//! The URL of a database file, or of a database in memory.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use percent_encoding::percent_decode_str;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};

use crate::store::OpenError;

/// The engine's own message would repeat the option, which may be a secret.
const UNKNOWN_OPTIONS: &str = "the database URL has unknown options or unknown values; known options are `mode`, \
     `cache`, `immutable` and `vfs`";

/// Parses a URL.
pub(super) fn options(url: &str) -> Result<SqliteConnectOptions, OpenError> {
    check(url)?;
    let options =
        SqliteConnectOptions::from_str(url).map_err(|_| OpenError::Unsupported(UNKNOWN_OPTIONS.to_owned()))?;
    Ok(options.journal_mode(SqliteJournalMode::Wal))
}

/// Rejects a URL that names no file. Every connection would open an empty database of its own.
fn check(url: &str) -> Result<(), OpenError> {
    let place = url.trim_start_matches("sqlite://").trim_start_matches("sqlite:");
    let (path, options) = place.split_once('?').unwrap_or((place, ""));
    let [path, options] = [path, options].map(|text| percent_decode_str(text).decode_utf8_lossy());
    // `file:` starts a URL in the engine's own form, which has other options.
    if path.is_empty() || path == ":memory:" || path.starts_with("file:") || options.contains("=memory") {
        return Err(OpenError::Unsupported("the database URL must name a file, as in `sqlite://path`".to_owned()));
    }
    Ok(())
}

/// Returns the options of a new database in memory, which every connection of this process can open.
pub(super) fn in_memory() -> SqliteConnectOptions {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = format!("/usage-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    // The engine's in-memory file system has the locks of a file, unlike a shared cache.
    SqliteConnectOptions::new().vfs("memdb").filename(name)
}
