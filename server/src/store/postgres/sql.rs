//! The fixed statements of this engine. `sums.rs` composes the others.
//!
//! Sandbox ids are compared with `COLLATE "C"`, because the columns of a platform's database have its own collation.
//!
//! No statement may depend on the planner's statistics of an org. They are missing or outdated for every org that has
//! grown since the last `ANALYZE`, and the planner then expects a single row. So a lookup uses a generic plan, or a
//! subquery that `OFFSET 0` keeps the planner from turning into a join. A statement that reads a whole org only hashes
//! or merges. The settings for both are in `session.rs`.

use crate::store::statements::statements;

statements! {
    /// The events of a sandbox in a window, from the covering index. The core adds them up.
    SANDBOX_EVENTS = r#"SELECT memory_mb, disk_mb, started_at, ended_at FROM sandbox_scale_events
         WHERE org_id = $1 AND sandbox_id COLLATE "C" = $2 AND (started_at < $4) IS TRUE
             AND (ended_at > $3) IS NOT FALSE"#;
    /// The sandboxes that have one of these values of a tag, looked up in the index by value. The limit bounds what is
    /// read before the caller knows whether they are few.
    TAGGED = r#"SELECT has.sandbox_id FROM unnest($3::text[]) AS wanted (value) CROSS JOIN LATERAL (
             SELECT sandbox_id COLLATE "C" AS sandbox_id FROM sandbox_tags
             WHERE org_id = $1 AND key = $2 AND value = wanted.value OFFSET 0) AS has
         LIMIT $4"#;
    /// The number of sandboxes that have one of these values of a tag, from the index by value. The limit bounds what is
    /// read.
    COUNT_TAGGED = "SELECT count(*) FROM (
             SELECT 1 FROM sandbox_tags WHERE org_id = $1 AND key = $2 AND value = ANY ($3) LIMIT $4) AS has";
    /// The start and end of a sandbox's sessions in a window, and whether one is open.
    SESSION_SPAN = r#"SELECT min(greatest(started_at, $3)), max(least(coalesce(stopped_at, $5), $6)),
             bool_or(stopped_at IS NULL AND status NOT IN ('stopped', 'error'))
         FROM sandbox_sessions
         WHERE org_id = $1 AND sandbox_id COLLATE "C" = $2 AND started_at < $4
             AND (stopped_at IS NULL OR stopped_at > $3)"#;
    /// The samples of a sandbox by UTC minute: start, sum, number and maximum.
    SAMPLES = r#"SELECT date_bin('1 minute', sampled_at, '0001-01-01Z'), sum(greatest(memory_bytes, 0)), count(*),
             max(greatest(memory_bytes, 0))
         FROM sandbox_usage_samples
         WHERE org_id = $1 AND sandbox_id COLLATE "C" = $2 AND sampled_at >= $3 AND sampled_at < $4
         GROUP BY 1 ORDER BY 1"#;
    /// The same on a platform's table, whose key is the sandbox and the time. `IS TRUE` keeps the planner from the
    /// platform's index on org and time.
    PLATFORM_SAMPLES = "SELECT date_bin('1 minute', sampled_at, '0001-01-01Z'), sum(greatest(memory_bytes, 0)), count(*),
             max(greatest(memory_bytes, 0))
         FROM sandbox_usage_samples
         WHERE (org_id = $1) IS TRUE AND sandbox_id = $2 AND sampled_at >= $3 AND sampled_at < $4
         GROUP BY 1 ORDER BY 1";
    /// The latest session of each sandbox: the index on sandbox and start gives the order.
    LATEST_SESSIONS = r#"SELECT DISTINCT ON (sandbox_id COLLATE "C") sandbox_id, status::text, config ->> 'alias'
         FROM sandbox_sessions WHERE org_id = $1 AND sandbox_id COLLATE "C" = ANY ($2)
         ORDER BY sandbox_id COLLATE "C", started_at DESC, id DESC"#;
    /// The tags of some sandboxes, each looked up by its key.
    TAGS_OF = r#"SELECT sandbox_id, key, value, updated_at FROM sandbox_tags
         WHERE org_id = $1 AND sandbox_id COLLATE "C" = ANY ($2)"#;
    /// Every tag key of an org with its sandboxes and values, from the index by value.
    TAG_KEYS = r#"SELECT key COLLATE "C", count(*), count(DISTINCT value) FROM sandbox_tags
         WHERE org_id = $1 GROUP BY key COLLATE "C" ORDER BY key COLLATE "C""#;
    /// Whether an org has a session or an event of this id: two lookups.
    HAS_SANDBOX = r#"SELECT EXISTS (SELECT 1 FROM sandbox_sessions WHERE org_id = $1 AND sandbox_id COLLATE "C" = $2)
         OR EXISTS (SELECT 1 FROM sandbox_scale_events WHERE org_id = $1 AND sandbox_id COLLATE "C" = $2)"#;
    HAS_ORG = "SELECT EXISTS (SELECT 1 FROM orgs WHERE id = $1)";
    /// The latest session of one sandbox.
    SANDBOX = r#"SELECT sandbox_id, status::text, coalesce(region::text, ''), coalesce(worker_id::text, ''),
             coalesce(template::text, ''), started_at, config ->> 'alias'
         FROM sandbox_sessions AS session
         WHERE org_id = $1 AND sandbox_id COLLATE "C" = $2 ORDER BY started_at DESC, id DESC LIMIT 1"#;
    /// The owner of a key, and the database's clock. This lookup cannot know the org.
    CALLER = "SELECT org_id, clock_timestamp() FROM api_keys
         WHERE key_hash = $1 AND (expires_at IS NULL OR expires_at > clock_timestamp())";
    NOW = "SELECT clock_timestamp()";
    /// Returns after the signal has reached the process.
    CANCEL = "SELECT pg_cancel_backend($1::int4)";
    /// Writes a temporary table, which fails if the disk is full.
    PROBE_ROOM = "CREATE TEMPORARY TABLE usage_probe ON COMMIT DROP AS
         SELECT repeat('x', 1000) AS filler FROM generate_series(1, 100)";
    /// Writes a row without changing it. Usually succeeds on a full disk, because the row's page has free space.
    PROBE = "UPDATE usage_schema SET version = version";
    SCHEMA = "SELECT version, platform FROM usage_schema";
    /// Serializes the tag writes of one sandbox. Those of other sandboxes run beside them, an import into the org does
    /// not.
    LOCK_TAGS = "SELECT pg_advisory_xact_lock_shared(hashtextextended($1::text, 77)),
             pg_advisory_xact_lock(hashtextextended($1::text || '/' || $2, 78))";
    /// Waits for all tag writes and imports of an org, and keeps others out.
    LOCK_ORG = "SELECT pg_advisory_xact_lock(hashtextextended($1::text, 77))";
    /// Deletes the user tags of one sandbox that are not in the new set.
    DELETE_TAGS = r#"DELETE FROM sandbox_tags
         WHERE org_id = $1 AND sandbox_id COLLATE "C" = $2 AND NOT starts_with(key, $4) AND key <> ALL ($3)"#;
    /// Writes the new set, and touches only rows whose value differs.
    UPSERT_TAGS = "INSERT INTO sandbox_tags AS tag (org_id, sandbox_id, key, value, updated_at)
         SELECT $1, $2, key, value, clock_timestamp() FROM unnest($3::text[], $4::text[]) AS wanted (key, value)
         ON CONFLICT (org_id, sandbox_id, key) DO UPDATE
             SET value = excluded.value, updated_at = excluded.updated_at
             WHERE tag.value <> excluded.value";
    /// Holds the last user tags and the last system tags of each sandbox until the end of an import.
    STAGE = r#"CREATE TEMPORARY TABLE import_tags (
             sandbox_id text COLLATE "C", system boolean, tags jsonb NOT NULL, PRIMARY KEY (sandbox_id, system)
         ) ON COMMIT DROP"#;
    /// Notes tags for the end of an import. The last line of a batch, and the last batch, win.
    STAGE_TAGS = r#"INSERT INTO import_tags (sandbox_id, system, tags)
         SELECT DISTINCT ON (sandbox_id COLLATE "C", system) sandbox_id, system, tags::jsonb
         FROM unnest($1::text[], $2::bool[], $3::text[]) WITH ORDINALITY AS line (sandbox_id, system, tags, n)
         ORDER BY sandbox_id COLLATE "C", system, n DESC
         ON CONFLICT (sandbox_id, system) DO UPDATE SET tags = excluded.tags"#;
    /// Deletes the tags that the staged sets lack: looks up those of each staged sandbox, then deletes by the whole
    /// key.
    DELETE_STAGED_TAGS = r#"DELETE FROM sandbox_tags AS tag USING (
             SELECT staged.sandbox_id, known.key
             FROM import_tags AS staged CROSS JOIN LATERAL (
                 SELECT old.key COLLATE "C" AS key FROM sandbox_tags AS old
                 WHERE old.org_id = $1 AND old.sandbox_id COLLATE "C" = staged.sandbox_id
                     AND starts_with(old.key, $2) = staged.system
                 OFFSET 0) AS known
             WHERE NOT jsonb_exists(staged.tags, known.key)) AS gone
         WHERE tag.org_id = $1 AND tag.sandbox_id COLLATE "C" = gone.sandbox_id AND tag.key COLLATE "C" = gone.key"#;
    /// Writes the staged tags, and touches only rows whose value differs.
    UPSERT_STAGED_TAGS = "INSERT INTO sandbox_tags AS tag (org_id, sandbox_id, key, value, updated_at)
         SELECT $1, sandbox_id, wanted.key, wanted.value, clock_timestamp()
         FROM import_tags, jsonb_each_text(tags) AS wanted
         ON CONFLICT (org_id, sandbox_id, key) DO UPDATE
             SET value = excluded.value, updated_at = excluded.updated_at
             WHERE tag.value <> excluded.value";
    ENSURE_ORG = "INSERT INTO orgs (id) VALUES ($1) ON CONFLICT DO NOTHING";
    INSERT_KEY = "INSERT INTO api_keys (org_id, key_hash, key_prefix, name, expires_at) VALUES ($1, $2, $3, $4, $5)";
    TOUCH_KEYS = "UPDATE api_keys SET last_used = used.at
         FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS used (org_id, key_hash, at)
         WHERE api_keys.org_id = used.org_id AND api_keys.key_hash = used.key_hash
             AND (last_used IS NULL OR last_used < used.at)";
    /// Imports sessions into the server's own schema, where the primary key finds a known session. The last line of
    /// each session counts, and rows that do not differ are not touched.
    UPSERT_SESSIONS = "WITH batch AS (
             SELECT DISTINCT ON (sandbox_id, started_at) *
             FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                 $8::timestamptz[], $9::text[]) WITH ORDINALITY
                 AS line (sandbox_id, template, region, worker_id, status, started_at, stopped_at, alias, n)
             ORDER BY sandbox_id, started_at, n DESC)
         INSERT INTO sandbox_sessions AS known
             (org_id, sandbox_id, template, region, worker_id, status, started_at, stopped_at, config)
         SELECT $1, sandbox_id, template, region, worker_id, status, started_at, stopped_at,
             jsonb_strip_nulls(jsonb_build_object('alias', alias))
         FROM batch
         ON CONFLICT (org_id, sandbox_id, started_at) DO UPDATE SET
             template = excluded.template, region = excluded.region, worker_id = excluded.worker_id,
             status = excluded.status, stopped_at = excluded.stopped_at,
             config = (known.config - 'alias') || excluded.config
         WHERE (known.template, known.region, known.worker_id, known.status, known.stopped_at, known.config ->> 'alias')
             IS DISTINCT FROM (excluded.template, excluded.region, excluded.worker_id, excluded.status,
                 excluded.stopped_at, excluded.config ->> 'alias')";
    /// Updates known sessions in a platform's table, which has no such key. Each line of the batch is looked up by
    /// itself: `OFFSET 0` rules out a join that reads the whole org. The org of the update comes from that lookup, so that
    /// the planner cannot begin with all sessions of the org.
    UPDATE_SESSIONS = r#"WITH batch AS (
             SELECT DISTINCT ON (sandbox_id, started_at) *
             FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                 $8::timestamptz[], $9::text[]) WITH ORDINALITY
                 AS line (sandbox_id, template, region, worker_id, status, started_at, stopped_at, alias, n)
             ORDER BY sandbox_id, started_at, n DESC)
         UPDATE sandbox_sessions AS known SET
             template = changed.template, region = changed.region, worker_id = changed.worker_id,
             status = changed.status, stopped_at = changed.stopped_at,
             config = CASE WHEN changed.alias IS NULL THEN known.config - 'alias'
                 ELSE coalesce(known.config, '{}') || jsonb_build_object('alias', changed.alias) END
         FROM (SELECT batch.*, old.id, old.org_id FROM batch CROSS JOIN LATERAL (
             SELECT id, org_id, template, region, worker_id, status, stopped_at, config FROM sandbox_sessions
             WHERE org_id = $1 AND sandbox_id COLLATE "C" = batch.sandbox_id AND started_at = batch.started_at
             OFFSET 0) AS old
             WHERE (old.template, old.region, old.worker_id, old.status, old.stopped_at, old.config ->> 'alias')
                 IS DISTINCT FROM
                 (batch.template, batch.region, batch.worker_id, batch.status, batch.stopped_at, batch.alias)) AS changed
         WHERE known.org_id = changed.org_id AND known.id = changed.id"#;
    /// Inserts the other sessions into a platform's table, after the same lookups.
    INSERT_SESSIONS = r#"WITH batch AS (
             SELECT DISTINCT ON (sandbox_id, started_at) *
             FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                 $8::timestamptz[], $9::text[]) WITH ORDINALITY
                 AS line (sandbox_id, template, region, worker_id, status, started_at, stopped_at, alias, n)
             ORDER BY sandbox_id, started_at, n DESC)
         INSERT INTO sandbox_sessions
             (org_id, sandbox_id, template, region, worker_id, status, started_at, stopped_at, config)
         SELECT $1, sandbox_id, template, region, worker_id, status, started_at, stopped_at,
             jsonb_strip_nulls(jsonb_build_object('alias', alias))
         FROM batch
         WHERE NOT EXISTS (
             SELECT 1 FROM sandbox_sessions AS known
             WHERE known.org_id = $1 AND known.sandbox_id COLLATE "C" = batch.sandbox_id
                 AND known.started_at = batch.started_at OFFSET 0)"#;
    /// Imports events into the server's own schema, as `UPSERT_SESSIONS` does sessions.
    UPSERT_SCALES = "WITH batch AS (
             SELECT DISTINCT ON (sandbox_id, started_at, memory_mb, disk_mb) *
             FROM unnest($2::text[], $3::int4[], $4::int4[], $5::int4[], $6::timestamptz[], $7::timestamptz[])
                 WITH ORDINALITY AS line (sandbox_id, memory_mb, cpu_percent, disk_mb, started_at, ended_at, n)
             ORDER BY sandbox_id, started_at, memory_mb, disk_mb, n DESC)
         INSERT INTO sandbox_scale_events AS known
             (org_id, sandbox_id, memory_mb, cpu_percent, disk_mb, started_at, ended_at)
         SELECT $1, sandbox_id, memory_mb, cpu_percent, disk_mb, started_at, ended_at
         FROM batch
         ON CONFLICT (org_id, sandbox_id, memory_mb, disk_mb, started_at) DO UPDATE SET
             cpu_percent = excluded.cpu_percent, ended_at = excluded.ended_at
         WHERE (known.cpu_percent, known.ended_at) IS DISTINCT FROM (excluded.cpu_percent, excluded.ended_at)";
    /// Updates known events in a platform's table. `IS TRUE` keeps the planner from the platform's index on org and
    /// start, where many sandboxes may have the same start: the covering index has the whole key.
    UPDATE_SCALES = r#"WITH batch AS (
             SELECT DISTINCT ON (sandbox_id, started_at, memory_mb, disk_mb) *
             FROM unnest($2::text[], $3::int4[], $4::int4[], $5::int4[], $6::timestamptz[], $7::timestamptz[])
                 WITH ORDINALITY AS line (sandbox_id, memory_mb, cpu_percent, disk_mb, started_at, ended_at, n)
             ORDER BY sandbox_id, started_at, memory_mb, disk_mb, n DESC)
         UPDATE sandbox_scale_events AS known SET cpu_percent = changed.cpu_percent, ended_at = changed.ended_at
         FROM (SELECT batch.*, old.id FROM batch CROSS JOIN LATERAL (
             SELECT id, cpu_percent, ended_at FROM sandbox_scale_events
             WHERE org_id = $1 AND sandbox_id COLLATE "C" = batch.sandbox_id AND memory_mb = batch.memory_mb
                 AND disk_mb = batch.disk_mb AND (started_at = batch.started_at) IS TRUE
             OFFSET 0) AS old
             WHERE (old.cpu_percent, old.ended_at) IS DISTINCT FROM (batch.cpu_percent, batch.ended_at)) AS changed
         WHERE known.org_id = $1 AND known.id = changed.id"#;
    /// Inserts the other events into a platform's table, after the same lookups.
    INSERT_SCALES = r#"WITH batch AS (
             SELECT DISTINCT ON (sandbox_id, started_at, memory_mb, disk_mb) *
             FROM unnest($2::text[], $3::int4[], $4::int4[], $5::int4[], $6::timestamptz[], $7::timestamptz[])
                 WITH ORDINALITY AS line (sandbox_id, memory_mb, cpu_percent, disk_mb, started_at, ended_at, n)
             ORDER BY sandbox_id, started_at, memory_mb, disk_mb, n DESC)
         INSERT INTO sandbox_scale_events
             (org_id, sandbox_id, memory_mb, cpu_percent, disk_mb, started_at, ended_at)
         SELECT $1, sandbox_id, memory_mb, cpu_percent, disk_mb, started_at, ended_at
         FROM batch
         WHERE NOT EXISTS (
             SELECT 1 FROM sandbox_scale_events AS known
             WHERE known.org_id = $1 AND known.sandbox_id COLLATE "C" = batch.sandbox_id
                 AND known.memory_mb = batch.memory_mb AND known.disk_mb = batch.disk_mb
                 AND (known.started_at = batch.started_at) IS TRUE OFFSET 0)"#;
    /// Imports samples into the server's own schema, as `UPSERT_SESSIONS` does sessions.
    UPSERT_SAMPLES = "WITH batch AS (
             SELECT DISTINCT ON (sandbox_id, sampled_at) *
             FROM unnest($2::text[], $3::timestamptz[], $4::int8[], $5::int4[], $6::int8[], $7::int4[])
                 WITH ORDINALITY AS line (sandbox_id, sampled_at, memory_bytes, memory_mb, cpu_usec, pids, n)
             ORDER BY sandbox_id, sampled_at, n DESC)
         INSERT INTO sandbox_usage_samples AS known
             (org_id, sandbox_id, sampled_at, memory_bytes, memory_mb, cpu_usec, pids)
         SELECT $1, sandbox_id, sampled_at, memory_bytes, memory_mb, cpu_usec, pids FROM batch
         ON CONFLICT (org_id, sandbox_id, sampled_at) DO UPDATE SET
             memory_bytes = excluded.memory_bytes, memory_mb = excluded.memory_mb, cpu_usec = excluded.cpu_usec,
             pids = excluded.pids
         WHERE (known.memory_bytes, known.memory_mb, known.cpu_usec, known.pids)
             IS DISTINCT FROM (excluded.memory_bytes, excluded.memory_mb, excluded.cpu_usec, excluded.pids)";
    /// Updates known samples in a platform's table. `IS TRUE` as in `PLATFORM_SAMPLES`.
    UPDATE_SAMPLES = "WITH batch AS (
             SELECT DISTINCT ON (sandbox_id, sampled_at) *
             FROM unnest($2::text[], $3::timestamptz[], $4::int8[], $5::int4[], $6::int8[], $7::int4[])
                 WITH ORDINALITY AS line (sandbox_id, sampled_at, memory_bytes, memory_mb, cpu_usec, pids, n)
             ORDER BY sandbox_id, sampled_at, n DESC)
         UPDATE sandbox_usage_samples AS known SET
             memory_bytes = batch.memory_bytes, memory_mb = batch.memory_mb, cpu_usec = batch.cpu_usec,
             pids = batch.pids
         FROM batch
         WHERE (known.org_id = $1) IS TRUE AND known.sandbox_id = batch.sandbox_id
             AND known.sampled_at = batch.sampled_at
             AND (known.memory_bytes, known.memory_mb, known.cpu_usec, known.pids)
                 IS DISTINCT FROM (batch.memory_bytes, batch.memory_mb, batch.cpu_usec, batch.pids)";
    /// Inserts the other samples into a platform's table, which cannot hold samples of two orgs with the same sandbox
    /// id and time.
    INSERT_SAMPLES = "WITH batch AS (
             SELECT DISTINCT ON (sandbox_id, sampled_at) *
             FROM unnest($2::text[], $3::timestamptz[], $4::int8[], $5::int4[], $6::int8[], $7::int4[])
                 WITH ORDINALITY AS line (sandbox_id, sampled_at, memory_bytes, memory_mb, cpu_usec, pids, n)
             ORDER BY sandbox_id, sampled_at, n DESC)
         INSERT INTO sandbox_usage_samples (org_id, sandbox_id, sampled_at, memory_bytes, memory_mb, cpu_usec, pids)
         SELECT $1, sandbox_id, sampled_at, memory_bytes, memory_mb, cpu_usec, pids FROM batch
         WHERE NOT EXISTS (
             SELECT 1 FROM sandbox_usage_samples AS known
             WHERE (known.org_id = $1) IS TRUE AND known.sandbox_id = batch.sandbox_id
                 AND known.sampled_at = batch.sampled_at OFFSET 0)";
    /// The orgs that have samples, from an id on, one at a time: one lookup. This lookup crosses orgs.
    SAMPLED_ORGS = "SELECT org_id FROM sandbox_usage_samples WHERE org_id >= $1 ORDER BY org_id LIMIT 1";
    /// Deletes the samples before a time from a range of an org's keys: at most this many keys after the given one.
    /// Returns the number of deleted samples and the last key of the range, or no row at the end.
    PRUNE_SAMPLES = "WITH part AS (
             SELECT sandbox_id, sampled_at FROM sandbox_usage_samples
             WHERE org_id = $1 AND (sandbox_id, sampled_at) > ($2, $3) ORDER BY sandbox_id, sampled_at LIMIT $5),
         gone AS (
             DELETE FROM sandbox_usage_samples AS sample USING part
             WHERE sample.org_id = $1 AND sample.sandbox_id = part.sandbox_id AND sample.sampled_at = part.sampled_at
                 AND part.sampled_at < $4
             RETURNING 1)
         SELECT (SELECT count(*) FROM gone), sandbox_id, sampled_at
         FROM part ORDER BY sandbox_id DESC, sampled_at DESC LIMIT 1";
    /// The same on a platform's table, in the order of its index on org and time. Rows are deleted by their `ctid`,
    /// because many sandboxes may have the same time. In a partitioned table a `ctid` is not unique, so the other
    /// conditions are repeated.
    PRUNE_PLATFORM_SAMPLES = "WITH part AS (
             SELECT ctid AS place, sandbox_id, sampled_at FROM sandbox_usage_samples
             WHERE org_id = $1 AND (sampled_at, sandbox_id) > ($3, $2) AND sampled_at < $4
             ORDER BY sampled_at, sandbox_id LIMIT $5),
         gone AS (
             DELETE FROM sandbox_usage_samples AS sample USING part
             WHERE sample.ctid = part.place AND sample.org_id = $1 AND sample.sampled_at < $4
             RETURNING 1)
         SELECT (SELECT count(*) FROM gone), sandbox_id, sampled_at
         FROM part ORDER BY sampled_at DESC, sandbox_id DESC LIMIT 1";
    /// The sandboxes that a worker left open. This lookup crosses orgs.
    LEFT_OPEN = "SELECT DISTINCT org_id, sandbox_id FROM sandbox_sessions AS session
         WHERE worker_id = $1 AND stopped_at IS NULL AND status IN ('running', 'hibernated') AND $1 = (
             SELECT latest.worker_id FROM sandbox_sessions AS latest
             WHERE latest.org_id = session.org_id AND latest.sandbox_id = session.sandbox_id
             ORDER BY latest.started_at DESC, latest.id DESC LIMIT 1)";
    CLOSE_SESSIONS = r#"UPDATE sandbox_sessions AS session
         SET status = 'stopped', stopped_at = greatest(session.started_at, now())
         FROM unnest($2::uuid[], $3::text[]) AS left_open (org_id, sandbox_id)
         WHERE session.org_id = left_open.org_id AND session.sandbox_id COLLATE "C" = left_open.sandbox_id
             AND worker_id = $1 AND stopped_at IS NULL AND status IN ('running', 'hibernated')"#;
    CLOSE_SCALES = r#"UPDATE sandbox_scale_events AS event SET ended_at = greatest(event.started_at, now())
         FROM unnest($1::uuid[], $2::text[]) AS left_open (org_id, sandbox_id)
         WHERE event.org_id = left_open.org_id AND event.sandbox_id COLLATE "C" = left_open.sandbox_id
             AND ended_at IS NULL"#;
    HAS_HIBERNATIONS = "SELECT to_regclass('sandbox_hibernations') IS NOT NULL";
}
