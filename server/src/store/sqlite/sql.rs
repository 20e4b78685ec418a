//! The fixed statements of this engine. `sums.rs` composes the others.

use crate::store::statements::{Placeholder, statements};

/// Selects the start of a sandbox's latest session. `row` is an alias that has the column `sandbox_id`.
pub(super) fn latest_start(org: Placeholder, row: &str) -> String {
    format!(
        "(
                     SELECT MAX(later.started_at) FROM sandbox_sessions AS later
                     WHERE later.org_id = {org} AND later.sandbox_id = {row}.sandbox_id)"
    )
}

/// The database's clock in microseconds. Its resolution is a millisecond, and it is never ahead.
macro_rules! clock {
    () => {
        "(CAST(unixepoch('subsec') * 1000 + 0.5 AS INTEGER) * 1000)"
    };
}

statements! {
    /// The events of a sandbox in a window. The core adds them up.
    SANDBOX_EVENTS = "SELECT memory_mb, disk_mb, started_at, ended_at FROM sandbox_scale_events
         WHERE org_id = ?1 AND sandbox_id = ?2 AND started_at < ?4 AND (ended_at IS NULL OR ended_at > ?3)";
    SESSION_SPAN = "SELECT MIN(MAX(started_at, ?3)),
             MAX(MIN(COALESCE(stopped_at, ?5), ?6)),
             MAX(stopped_at IS NULL AND status NOT IN ('stopped', 'error'))
         FROM sandbox_sessions
         WHERE org_id = ?1 AND sandbox_id = ?2 AND started_at < ?4 AND (stopped_at IS NULL OR stopped_at > ?3)";
    /// The samples of a sandbox by UTC minute: start, sum, number and maximum. The sum is split, because it could exceed
    /// 63 bits.
    SAMPLES = "SELECT sampled_at - ((sampled_at % 60000000) + 60000000) % 60000000 AS minute,
             SUM(memory_bytes >> 20), SUM(memory_bytes & 1048575), COUNT(*), MAX(memory_bytes)
         FROM sandbox_usage_samples
         WHERE org_id = ?1 AND sandbox_id = ?2 AND sampled_at >= ?3 AND sampled_at < ?4 GROUP BY minute ORDER BY minute";
    LATEST_SESSIONS = "SELECT sandbox_id, status, config ->> 'alias' FROM sandbox_sessions AS session
         WHERE org_id = ?1 AND sandbox_id IN (SELECT value FROM json_each(?2)) AND NOT EXISTS (
             SELECT 1 FROM sandbox_sessions AS later
             WHERE later.org_id = session.org_id AND later.sandbox_id = session.sandbox_id
                 AND later.started_at > session.started_at)";
    TAGS_OF = "SELECT sandbox_id, key, value, updated_at FROM sandbox_tags
         WHERE org_id = ?1 AND sandbox_id IN (SELECT value FROM json_each(?2))";
    /// The number of sandboxes that have one of these values of a tag. The limit bounds what is read.
    COUNT_TAGGED = "SELECT COUNT(*) FROM (
             SELECT 1 FROM sandbox_tags
             WHERE org_id = ?1 AND key = ?2 AND value IN (SELECT value FROM json_each(?3)) LIMIT ?4)";
    TAG_KEYS = "SELECT key, COUNT(*), COUNT(DISTINCT value) FROM sandbox_tags
         WHERE org_id = ?1 GROUP BY key ORDER BY key";
    HAS_SANDBOX = "SELECT EXISTS (SELECT 1 FROM sandbox_sessions WHERE org_id = ?1 AND sandbox_id = ?2)
         OR EXISTS (SELECT 1 FROM sandbox_scale_events WHERE org_id = ?1 AND sandbox_id = ?2)";
    HAS_ORG = "SELECT EXISTS (SELECT 1 FROM orgs WHERE id = ?1)";
    SANDBOX = "SELECT sandbox_id, status, region, worker_id, template, started_at, config ->> 'alias'
         FROM sandbox_sessions AS session
         WHERE org_id = ?1 AND sandbox_id = ?2 ORDER BY started_at DESC LIMIT 1";
    /// The owner of a key, and the database's clock. This lookup cannot know the org.
    CALLER = concat!(
        "SELECT org_id, ", clock!(), " AS now FROM api_keys
         WHERE key_hash = ?1 AND (expires_at IS NULL OR expires_at > ", clock!(), ")"
    );
    NOW = concat!("SELECT ", clock!());
    SCHEMA_VERSION = "PRAGMA user_version";
    DELETE_TAGS = "DELETE FROM sandbox_tags WHERE org_id = ?1 AND sandbox_id = ?2
             AND key NOT IN (SELECT key FROM json_each(?3)) AND substr(key, 1, length(?4)) <> ?4";
    // `WHERE TRUE` keeps the parser from reading ON CONFLICT as a join.
    UPSERT_TAGS = concat!(
        "INSERT INTO sandbox_tags (org_id, sandbox_id, key, value, updated_at)
         SELECT ?1, ?2, key, value, ", clock!(), " FROM json_each(?3) WHERE TRUE
         ON CONFLICT (org_id, sandbox_id, key) DO UPDATE
             SET value = excluded.value, updated_at = excluded.updated_at
             WHERE value <> excluded.value"
    );
    /// Holds the last user tags and the last system tags of each sandbox until the end of an import. The table is
    /// temporary, and a rollback removes it.
    STAGE = "CREATE TEMPORARY TABLE import_tags (
             sandbox_id TEXT NOT NULL, system INTEGER NOT NULL, tags TEXT NOT NULL, PRIMARY KEY (sandbox_id, system)
         ) STRICT, WITHOUT ROWID";
    STAGE_TAGS = "INSERT INTO import_tags (sandbox_id, system, tags)
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE TRUE
         ON CONFLICT (sandbox_id, system) DO UPDATE SET tags = excluded.tags";
    // A cross join keeps its order, so the tags of the staged sandboxes are looked up instead of reading the org.
    DELETE_STAGED_TAGS = "DELETE FROM sandbox_tags WHERE org_id = ?1 AND (sandbox_id, key) IN (
             SELECT tag.sandbox_id, tag.key FROM import_tags AS staged CROSS JOIN sandbox_tags AS tag
             WHERE tag.org_id = ?1 AND tag.sandbox_id = staged.sandbox_id
                 AND (substr(tag.key, 1, length(?2)) = ?2) = staged.system
             EXCEPT SELECT sandbox_id, wanted.key FROM import_tags CROSS JOIN json_each(tags) AS wanted)";
    UPSERT_STAGED_TAGS = concat!(
        "INSERT INTO sandbox_tags (org_id, sandbox_id, key, value, updated_at)
         SELECT ?1, sandbox_id, wanted.key, wanted.value, ", clock!(), "
         FROM import_tags CROSS JOIN json_each(tags) AS wanted WHERE TRUE
         ON CONFLICT (org_id, sandbox_id, key) DO UPDATE
             SET value = excluded.value, updated_at = excluded.updated_at
             WHERE value <> excluded.value"
    );
    UNSTAGE = "DROP TABLE import_tags";
    ENSURE_ORG = concat!("INSERT INTO orgs (id, created_at) VALUES (?1, ", clock!(), ") ON CONFLICT DO NOTHING");
    INSERT_KEY = concat!(
        "INSERT INTO api_keys (org_id, key_hash, key_prefix, name, expires_at, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ", clock!(), ")"
    );
    TOUCH_KEYS = "UPDATE api_keys SET last_used = used.at
         FROM (SELECT value ->> 0 AS org_id, value ->> 1 AS key_hash, value ->> 2 AS at FROM json_each(?1)) AS used
         WHERE api_keys.org_id = used.org_id AND api_keys.key_hash = used.key_hash
             AND (last_used IS NULL OR last_used < used.at)";
    UPSERT_SESSIONS = "INSERT INTO sandbox_sessions
             (org_id, sandbox_id, template, region, worker_id, status, started_at, stopped_at, config)
         SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
             json_patch('{}', json_object('alias', value ->> 7))
         FROM json_each(?2) WHERE TRUE
         ON CONFLICT (org_id, sandbox_id, started_at) DO UPDATE SET
             template = excluded.template, region = excluded.region, worker_id = excluded.worker_id,
             status = excluded.status, stopped_at = excluded.stopped_at,
             config = json_patch(config, json_object('alias', excluded.config ->> 'alias'))";
    UPSERT_SCALES = "INSERT INTO sandbox_scale_events
             (org_id, sandbox_id, memory_mb, cpu_percent, disk_mb, started_at, ended_at)
         SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
         FROM json_each(?2) WHERE TRUE
         ON CONFLICT (org_id, sandbox_id, started_at, memory_mb, disk_mb) DO UPDATE SET
             cpu_percent = excluded.cpu_percent, ended_at = excluded.ended_at";
    UPSERT_SAMPLES = "INSERT INTO sandbox_usage_samples
             (org_id, sandbox_id, sampled_at, memory_bytes, memory_mb, cpu_usec, pids)
         SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
         FROM json_each(?2) WHERE TRUE
         ON CONFLICT (org_id, sandbox_id, sampled_at) DO UPDATE SET
             memory_bytes = excluded.memory_bytes, memory_mb = excluded.memory_mb, cpu_usec = excluded.cpu_usec,
             pids = excluded.pids";
    /// The orgs that have samples, each found by one lookup. This lookup crosses orgs.
    SAMPLED_ORGS = "WITH RECURSIVE org (id) AS (SELECT MIN(org_id) FROM sandbox_usage_samples
             UNION ALL SELECT (SELECT MIN(org_id) FROM sandbox_usage_samples WHERE org_id > org.id)
             FROM org WHERE org.id IS NOT NULL)
         SELECT id FROM org WHERE id IS NOT NULL";
    /// The last key of a range of an org's keys: at most this many after the given one. No row at the end.
    SAMPLES_PART = "SELECT sandbox_id, sampled_at FROM (
             SELECT sandbox_id, sampled_at FROM sandbox_usage_samples
             WHERE org_id = ?1 AND (sandbox_id, sampled_at) > (?2, ?3) ORDER BY sandbox_id, sampled_at LIMIT ?4)
         ORDER BY sandbox_id DESC, sampled_at DESC LIMIT 1";
    /// Deletes the samples before a time from a range of an org's keys.
    PRUNE_SAMPLES = "DELETE FROM sandbox_usage_samples
         WHERE org_id = ?1 AND (sandbox_id, sampled_at) > (?2, ?3) AND (sandbox_id, sampled_at) <= (?4, ?5)
             AND sampled_at < ?6";
    /// The sandboxes that a worker left open. This lookup crosses orgs.
    LEFT_OPEN = "SELECT DISTINCT org_id, sandbox_id FROM sandbox_sessions AS session
         WHERE worker_id = ?1 AND stopped_at IS NULL AND status IN ('running', 'hibernated') AND ?1 = (
             SELECT latest.worker_id FROM sandbox_sessions AS latest
             WHERE latest.org_id = session.org_id AND latest.sandbox_id = session.sandbox_id
             ORDER BY latest.started_at DESC LIMIT 1)";
    CLOSE_SESSIONS = concat!(
        "UPDATE sandbox_sessions SET status = 'stopped', stopped_at = MAX(started_at, ", clock!(), ")
         WHERE (org_id, sandbox_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))
             AND worker_id = ?2 AND stopped_at IS NULL AND status IN ('running', 'hibernated')"
    );
    CLOSE_SCALES = concat!(
        "UPDATE sandbox_scale_events SET ended_at = MAX(started_at, ", clock!(), ")
         WHERE (org_id, sandbox_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1)) AND ended_at IS NULL"
    );
    HAS_HIBERNATIONS = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'sandbox_hibernations')";
}
