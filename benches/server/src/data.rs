//! The fleet: the same on every machine, loaded by the database itself.

use std::path::Path;

use anyhow::Result;
use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

/// Start and end of the window: 90 days.
pub(crate) const WINDOW: [&str; 2] = ["2025-01-01T00:00:00Z", "2025-04-01T00:00:00Z"];

/// The org that is measured, one a tenth of its size, and the others.
pub(crate) const BIG: u32 = 0;
pub(crate) const SMALL: u32 = 1;
pub(crate) const OTHERS: std::ops::RangeInclusive<u32> = 2..=50;

/// An org's id.
pub(crate) fn org(number: u32) -> Uuid {
    Uuid::from_u128(0x0c00_0000_0000_4000_8000_0000_0000_0000 + u128::from(number))
}

/// An org's key.
pub(crate) fn key(number: u32) -> String {
    format!("oc_bench_{number}")
}

/// Fills a migrated database: `events` of the big org on one sandbox for fifty of them, as many of fifty others, of
/// which one has a tenth. Rows come in the order of time, as they would have.
pub(crate) async fn load(db: &mut PgConnection, events: i64) -> Result<()> {
    let sql = format!(
        r"
    CREATE TEMP TABLE fleet AS
        SELECT ('0c000000-0000-4000-8000-' || lpad(to_hex(org), 12, '0'))::uuid AS org_id, org, n,
            'sb-' || substr(md5(org || '/' || n), 1, 12) AS sandbox_id, hashint8(org * 1000000 + n) & 1023 AS h
        FROM (
            SELECT 0 AS org, n FROM generate_series(0, {events} / 50 - 1) AS n
            UNION ALL SELECT 1, n FROM generate_series(0, {events} / 500 - 1) AS n
            UNION ALL SELECT 2 + n % 49, n FROM generate_series(0, {events} / 50 - {events} / 500 - 1) AS n
        ) AS sandboxes;
    INSERT INTO orgs (id) SELECT DISTINCT org_id FROM fleet;
    INSERT INTO api_keys (org_id, key_hash, key_prefix, name)
        SELECT DISTINCT org_id, encode(sha256(('oc_bench_' || org)::bytea), 'hex'), 'oc_bench_', 'bench' FROM fleet;
    INSERT INTO sandbox_sessions (sandbox_id, org_id, template, region, worker_id, status, config, started_at, stopped_at)
        SELECT sandbox_id, org_id, 'base', 'use2', 'w-' || n % 40,
            CASE WHEN n % 50 = 0 THEN 'running' ELSE 'stopped' END, jsonb_build_object('alias', 'agent-' || n),
            '2025-01-01Z'::timestamptz + h * interval '151 s',
            CASE WHEN n % 50 <> 0 THEN '2025-03-31Z'::timestamptz + h * interval '60 s' END
        FROM fleet;
    INSERT INTO sandbox_scale_events (sandbox_id, org_id, memory_mb, cpu_percent, disk_mb, started_at, ended_at)
        SELECT sandbox_id, org_id, 1024 << abs(hashint8(n * 64 + j)) % 5, 100,
            20480 + 10240 * greatest(0, abs(hashint8(n * 64 + j + 7)) % 6 - 3),
            '2025-01-01Z'::timestamptz + (j * 155520 + h * 151) * interval '1 s' + n % 1000 * interval '1 ms',
            CASE WHEN j < 49 OR n % 50 <> 0 THEN
                '2025-01-01Z'::timestamptz + ((j + 1) * 155520 + h * 101) * interval '1 s' + n % 999 * interval '1 us' END
        FROM fleet, generate_series(0, 49) AS j
        ORDER BY j, h, org_id;
    INSERT INTO sandbox_tags (org_id, sandbox_id, key, value, updated_at)
        SELECT org_id, sandbox_id, key, key || '-' || abs(hashint8(n + kinds * 7919)) % kinds, '2025-01-02Z'
        FROM fleet, (VALUES ('team', 12), ('env', 3), ('customer', 200)) AS tags (key, kinds)
        WHERE abs(hashint8(org * 1000003 + n * 5 + kinds)) % 8 <> 0;
    CREATE SCHEMA reference;
    CREATE TABLE reference.sandbox_scale_events AS
        SELECT id, sandbox_id, org_id, memory_mb, cpu_percent, disk_mb, started_at, ended_at FROM sandbox_scale_events;
    CREATE INDEX ON reference.sandbox_scale_events (sandbox_id);
    CREATE INDEX ON reference.sandbox_scale_events (org_id, started_at);
    CREATE TABLE reference.sandbox_tags AS SELECT * FROM sandbox_tags;
    ALTER TABLE reference.sandbox_tags ADD PRIMARY KEY (org_id, sandbox_id, key);
    CREATE INDEX ON reference.sandbox_tags (org_id, key, value);"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *db).await?;
    sqlx::raw_sql("VACUUM ANALYZE").execute(&mut *db).await?;
    sqlx::raw_sql("CHECKPOINT").execute(&mut *db).await?;
    Ok(())
}

/// Writes what a query returns to a file, in a format of `COPY`.
async fn copy(db: &mut PgConnection, query: &str, format: &str, file: &Path) -> Result<()> {
    let mut rows = db.copy_out_raw(&format!("COPY ({query}) TO STDOUT {format}")).await?;
    let mut out = tokio::io::BufWriter::new(tokio::fs::File::create(file).await?);
    while let Some(chunk) = rows.try_next().await? {
        out.write_all(&chunk).await?;
    }
    Ok(out.flush().await?)
}

/// Writes the events and tags of all orgs as CSV, times in microseconds since 1970.
pub(crate) async fn export_csv(db: &mut PgConnection, folder: &Path) -> Result<()> {
    let micros = "(extract(epoch FROM started_at) * 1000000)::bigint AS started_at,
        (extract(epoch FROM ended_at) * 1000000)::bigint AS ended_at";
    let events = format!("SELECT org_id, sandbox_id, memory_mb, disk_mb, {micros} FROM sandbox_scale_events");
    copy(db, &events, "(FORMAT csv, HEADER)", &folder.join("events.csv")).await?;
    let tags = "SELECT org_id, sandbox_id, key, value FROM sandbox_tags";
    copy(db, tags, "(FORMAT csv, HEADER)", &folder.join("tags.csv")).await
}

/// Writes what an org has as lines to import.
pub(crate) async fn export_lines(db: &mut PgConnection, number: u32, file: &Path) -> Result<()> {
    let time = |column: &str| format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
    let org = org(number);
    let (started, stopped, ended) = (time("started_at"), time("stopped_at"), time("ended_at"));
    // Nothing in the fleet needs the escapes of the text format.
    let query = format!(
        "SELECT json_build_object('type', 'session', 'sandboxId', sandbox_id, 'template', template, 'region', region,
            'workerId', worker_id, 'status', status, 'startedAt', {started}, 'stoppedAt', {stopped},
            'alias', config ->> 'alias')
        FROM sandbox_sessions WHERE org_id = '{org}'
        UNION ALL SELECT json_build_object('type', 'scale', 'sandboxId', sandbox_id, 'memoryMb', memory_mb,
            'cpuPercent', cpu_percent, 'diskMb', disk_mb, 'startedAt', {started}, 'endedAt', {ended})
        FROM sandbox_scale_events WHERE org_id = '{org}'
        UNION ALL SELECT json_build_object('type', 'tags', 'sandboxId', sandbox_id, 'tags', json_object_agg(key, value))
        FROM sandbox_tags WHERE org_id = '{org}' GROUP BY sandbox_id"
    );
    copy(db, &query, "", file).await
}

/// Copies the other orgs into an SQLite database that has the big one.
pub(crate) async fn copy_others(from: &mut PgConnection, database: &str) -> Result<()> {
    const TABLES: [(&str, &str, &str); 5] = [
        ("orgs", "id, created_at", "SELECT id, 0 FROM orgs WHERE id = $1"),
        (
            "api_keys",
            "org_id, key_hash, key_prefix, name, created_at",
            "SELECT org_id, key_hash, key_prefix, name, 0 FROM api_keys WHERE org_id = $1",
        ),
        (
            "sandbox_sessions",
            "sandbox_id, org_id, template, region, worker_id, status, config, started_at, stopped_at",
            "SELECT sandbox_id, org_id, template, region, worker_id, status, config::text,
                (extract(epoch FROM started_at) * 1000000)::bigint, (extract(epoch FROM stopped_at) * 1000000)::bigint
             FROM sandbox_sessions WHERE org_id = $1",
        ),
        (
            "sandbox_scale_events",
            "sandbox_id, org_id, memory_mb, cpu_percent, disk_mb, started_at, ended_at",
            "SELECT sandbox_id, org_id, memory_mb, cpu_percent, disk_mb,
                (extract(epoch FROM started_at) * 1000000)::bigint, (extract(epoch FROM ended_at) * 1000000)::bigint
             FROM sandbox_scale_events WHERE org_id = $1",
        ),
        (
            "sandbox_tags",
            "org_id, sandbox_id, key, value, updated_at",
            "SELECT org_id, sandbox_id, key, value, (extract(epoch FROM updated_at) * 1000000)::bigint
             FROM sandbox_tags WHERE org_id = $1",
        ),
    ];
    let mut db = SqliteConnection::connect(database).await?;
    let mut write = db.begin().await?;
    for number in BIG..=*OTHERS.end() {
        for (table, columns, query) in TABLES {
            if number == BIG && table != "api_keys" {
                continue;
            }
            let width = columns.split(',').count();
            let query = format!(
                "SELECT coalesce(json_agg(to_json(array_rows)), '[]')::text FROM ({query}) AS array_rows ({})",
                (0..width).map(|at| format!("c{at}")).collect::<Vec<_>>().join(", ")
            );
            let rows: String = sqlx::query_scalar(AssertSqlSafe(query)).bind(org(number)).fetch_one(&mut *from).await?;
            let values: Vec<_> = (0..width).map(|at| format!("value ->> '$.c{at}'")).collect();
            let insert = format!("INSERT INTO {table} ({columns}) SELECT {} FROM json_each(?)", values.join(", "));
            sqlx::query(AssertSqlSafe(insert)).bind(rows).execute(&mut *write).await?;
        }
    }
    write.commit().await?;
    sqlx::raw_sql("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut db).await?;
    Ok(db.close().await?)
}
