//! The tables, columns and indexes that this engine's statements need, and the creation of missing ones.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::store::OpenError;

/// A table and its columns in use.
type Table = (&'static str, &'static [&'static str]);

/// The tables of a platform.
pub(super) const TABLES: [Table; 4] = [
    ("orgs", &["id"]),
    ("api_keys", &["org_id", "key_hash", "key_prefix", "name", "expires_at"]),
    (
        "sandbox_sessions",
        &[
            "id",
            "sandbox_id",
            "org_id",
            "template",
            "region",
            "worker_id",
            "status",
            "config",
            "started_at",
            "stopped_at",
        ],
    ),
    (
        "sandbox_scale_events",
        &["id", "sandbox_id", "org_id", "memory_mb", "cpu_percent", "disk_mb", "started_at", "ended_at"],
    ),
];

/// The table that this feature adds. A platform's migration 026 may have created it.
const TAGS: Table = ("sandbox_tags", &["org_id", "sandbox_id", "key", "value", "updated_at"]);

/// The measured use of sandboxes. A platform may lack the table.
const SAMPLES: Table =
    ("sandbox_usage_samples", &["sandbox_id", "org_id", "sampled_at", "memory_mb", "cpu_usec", "memory_bytes", "pids"]);

/// The column by which our own table of events differs from a platform's.
const OWN_EVENTS: Table = ("sandbox_scale_events", &["lasted_micros"]);

/// A required index.
struct Index {
    name: &'static str,
    table: &'static str,
    unique: bool,
    keys: &'static [&'static str],
    /// The key that is compared by bytes, regardless of the column's collation.
    bytewise: Option<&'static str>,
    included: &'static [&'static str],
    /// The condition of a partial index.
    condition: Option<&'static str>,
}

const PLAIN: Index =
    Index { name: "", table: "", unique: false, keys: &[], bytewise: None, included: &[], condition: None };

const RUNNING: &str = "status = 'running' AND stopped_at IS NULL";
/// True for every row. An index with this condition serves only the lists, whose statements name it, so that no plan
/// looks up a sandbox or a value by reading its org.
const LISTED: &str = "sandbox_id <> ''";

/// The indexes on tags, on every schema.
const TAG_INDEXES: [Index; 2] = [
    Index { name: "sandbox_tags_by_value", table: TAGS.0, keys: &["org_id", "key", "value"], ..PLAIN },
    Index {
        name: "usage_tags_by_sandbox",
        table: TAGS.0,
        keys: &["org_id", "sandbox_id", "key"],
        bytewise: Some("sandbox_id"),
        ..PLAIN
    },
];

/// The indexes on a platform's tables.
const PLATFORM_INDEXES: [Index; 5] = [
    Index {
        name: "usage_scale_events_cover",
        table: "sandbox_scale_events",
        keys: &["org_id", "sandbox_id", "memory_mb", "disk_mb", "started_at"],
        bytewise: Some("sandbox_id"),
        included: &["ended_at"],
        ..PLAIN
    },
    Index {
        name: "usage_sessions_by_sandbox",
        table: "sandbox_sessions",
        keys: &["org_id", "sandbox_id", "started_at"],
        bytewise: Some("sandbox_id"),
        ..PLAIN
    },
    Index {
        name: "usage_sessions_running",
        table: "sandbox_sessions",
        keys: &["org_id", "started_at"],
        condition: Some(RUNNING),
        ..PLAIN
    },
    Index {
        name: "usage_sessions_newest",
        table: "sandbox_sessions",
        keys: &["org_id", "started_at"],
        condition: Some(LISTED),
        ..PLAIN
    },
    // The platform's own index by value has the order of the database's collation.
    Index {
        name: "usage_tags_by_value",
        table: TAGS.0,
        keys: &["org_id", "key", "value"],
        bytewise: Some("value"),
        condition: Some(LISTED),
        ..PLAIN
    },
];

/// The secondary indexes of our own schema. Those that its migrations lack are built without blocking writes.
const OWN_INDEXES: [Index; 4] = [
    Index { name: "api_keys_by_hash", table: "api_keys", unique: true, keys: &["key_hash"], ..PLAIN },
    Index {
        name: "sandbox_sessions_running",
        table: "sandbox_sessions",
        keys: &["org_id", "started_at"],
        condition: Some(RUNNING),
        ..PLAIN
    },
    Index {
        name: "sandbox_sessions_newest",
        table: "sandbox_sessions",
        keys: &["org_id", "started_at"],
        condition: Some(LISTED),
        ..PLAIN
    },
    Index {
        name: "sandbox_sessions_open",
        table: "sandbox_sessions",
        keys: &["worker_id"],
        condition: Some("stopped_at IS NULL"),
        ..PLAIN
    },
];

/// Extended statistics: the numbers of sandboxes and values of orgs, which are not the products of the columns'.
/// Dependencies between the columns are omitted on purpose: with them, looking up a sandbox seems to save nothing over
/// reading its org.
const STATISTICS: [(&str, &str); 2] = [
    ("usage_scale_events_distinct", "(ndistinct) ON org_id, sandbox_id FROM sandbox_scale_events"),
    ("usage_tags_distinct", "(ndistinct) ON org_id, key, value FROM sandbox_tags"),
];

/// The code of a missing privilege.
const NOT_ALLOWED: &str = "42501";

/// The reason why a migration failed.
pub(super) enum Fault {
    Database(sqlx::Error),
    Refused(OpenError),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<OpenError> for Fault {
    fn from(error: OpenError) -> Self {
        Self::Refused(error)
    }
}

/// The kind of a database before its first migration.
pub(super) enum Found {
    Empty,
    /// Our own tables, without `usage_schema`.
    Own,
    Platform,
}

/// Recognizes a database without `usage_schema`. One that has only some of the tables is rejected.
pub(super) async fn recognize(db: &mut PgConnection) -> Result<Found, Fault> {
    let mut present = Vec::new();
    for (table, _) in TABLES {
        if exists(db, table).await? {
            present.push(table);
        }
    }
    let Some(first) = present.first() else { return Ok(Found::Empty) };
    if let Some((missing, _)) = TABLES.iter().find(|(table, _)| !present.contains(table)) {
        return Err(OpenError::Unsuitable(format!("it has `{first}` but no `{missing}`")).into());
    }
    for table in TABLES {
        if let Some(column) = missing_column(db, table).await? {
            return Err(OpenError::Unsuitable(format!("its table `{}` has no column `{column}`", table.0)).into());
        }
    }
    Ok(if missing_column(db, OWN_EVENTS).await?.is_none() { Found::Own } else { Found::Platform })
}

/// Creates `sandbox_tags` and indexes that are missing, and fails if another table or a column is. The version alone
/// does not guarantee that they still exist.
pub(super) async fn complete(db: &mut PgConnection, platform: bool) -> Result<(), Fault> {
    if create_tags(db).await? {
        tracing::warn!("the table `sandbox_tags` was missing and is created again, without tags");
    }
    let own = (!platform).then_some(OWN_EVENTS);
    let samples = if !platform || exists(db, SAMPLES.0).await? { Some(SAMPLES) } else { None };
    for table in TABLES.into_iter().chain([TAGS]).chain(own).chain(samples) {
        if let Some(column) = missing_column(db, table).await? {
            let part = if exists(db, table.0).await? { format!("column `{column}` of ") } else { String::new() };
            return Err(OpenError::Damaged(format!("the {part}table `{}` is missing", table.0)).into());
        }
    }
    let key = Index { table: TAGS.0, unique: true, keys: &["org_id", "sandbox_id", "key"], ..PLAIN };
    if equal_index(db, &key).await?.is_none() {
        return Err(OpenError::Damaged("the primary key of `sandbox_tags` is missing".to_owned()).into());
    }
    for index in TAG_INDEXES.iter().chain(if platform { &PLATFORM_INDEXES[..] } else { &OWN_INDEXES[..] }) {
        ensure(db, index).await?;
    }
    for (name, definition) in STATISTICS {
        ensure_statistics(db, name, definition).await?;
    }
    Ok(())
}

/// Returns whether there is a table of samples that the user may read. Otherwise no used memory is reported.
pub(super) async fn can_read_samples(db: &mut PgConnection) -> sqlx::Result<bool> {
    let sql = "SELECT has_table_privilege(to_regclass($1), 'SELECT')";
    let allowed: Option<bool> = sqlx::query_scalar(sql).bind(SAMPLES.0).fetch_one(db).await?;
    if allowed == Some(false) {
        tracing::warn!("used memory is not reported: the user may not read `{}`", SAMPLES.0);
    }
    Ok(allowed == Some(true))
}

/// Creates `sandbox_tags` with its indexes if there is no such table. Returns whether it did.
pub(super) async fn create_tags(db: &mut PgConnection) -> sqlx::Result<bool> {
    if exists(db, TAGS.0).await? {
        return Ok(false);
    }
    let mut write = db.begin().await?;
    sqlx::raw_sql(include_str!("../../../migrations/postgres/tags.sql")).execute(&mut *write).await?;
    write.commit().await?;
    Ok(true)
}

async fn exists(db: &mut PgConnection, relation: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(relation).fetch_one(db).await
}

async fn missing_column(db: &mut PgConnection, (table, columns): Table) -> sqlx::Result<Option<String>> {
    let sql = "SELECT wanted FROM unnest($2::text[]) AS wanted WHERE wanted NOT IN (
             SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND NOT attisdropped AND attnum > 0)";
    sqlx::query_scalar(sql).bind(table).bind(columns).fetch_optional(db).await
}

/// Builds an index without blocking writes, unless a valid one with the same definition exists under any name.
///
/// Another index of this name is the remains of an interrupted build or has an older definition, and is replaced.
async fn ensure(db: &mut PgConnection, index: &Index) -> sqlx::Result<()> {
    if equal_index(db, index).await?.is_some() {
        return Ok(());
    }
    let Index { name, table, .. } = *index;
    let sql =
        "SELECT EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass($1) AND indrelid = to_regclass($2))";
    if sqlx::query_scalar(sql).bind(name).bind(table).fetch_one(&mut *db).await? {
        sqlx::raw_sql(AssertSqlSafe(format!("DROP INDEX CONCURRENTLY {name}"))).execute(&mut *db).await?;
    }
    tracing::info!(index = name, table, "building an index");
    sqlx::raw_sql(AssertSqlSafe(index.create())).execute(db).await?;
    Ok(())
}

/// Creates extended statistics, which the next `ANALYZE` fills. They are optional: if the tables belong to another
/// user, the server goes without them.
async fn ensure_statistics(db: &mut PgConnection, name: &str, definition: &str) -> sqlx::Result<()> {
    let exists = "SELECT EXISTS (SELECT 1 FROM pg_statistic_ext
         WHERE stxname = $1 AND stxrelid = to_regclass(substring($2 FROM 'FROM (.*)')))";
    if sqlx::query_scalar(exists).bind(name).bind(definition).fetch_one(&mut *db).await? {
        return Ok(());
    }
    let created = sqlx::raw_sql(AssertSqlSafe(format!("CREATE STATISTICS {name} {definition}"))).execute(db).await;
    match created {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NOT_ALLOWED) => {
            tracing::warn!("extended statistics are not created: {}", error.message());
            Ok(())
        }
        created => created.map(|_| ()),
    }
}

/// Returns the name of a valid index that has the definition of `index`.
async fn equal_index(db: &mut PgConnection, index: &Index) -> sqlx::Result<Option<String>> {
    // PostgreSQL adds parentheses and casts of `varchar` to a condition, which are removed before comparing.
    let sql = r#"SELECT indexrelid::regclass::text FROM pg_index
         JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam AND amname = 'btree',
             LATERAL (
                 SELECT array_agg(attname::text ORDER BY place) AS columns,
                     bool_and(place > indnkeyatts OR indcollation[place - 1] =
                         CASE WHEN attname = $4 THEN '"C"'::regcollation ELSE attcollation END) AS collated
                 FROM unnest(indkey::int2[]) WITH ORDINALITY AS part (number, place)
                 JOIN pg_attribute ON attrelid = indrelid AND attnum = number) AS parts
         WHERE indrelid = to_regclass($1) AND indisvalid AND columns = $2 AND indnkeyatts = $3 AND collated
             AND (indisunique OR NOT $5) AND 0 = ALL (indoption::int2[])
             AND translate(replace(pg_get_expr(indpred, indrelid), '::text', ''), '()', '') IS NOT DISTINCT FROM $6"#;
    let columns = [index.keys, index.included].concat();
    let keys = i16::try_from(index.keys.len()).unwrap_or(i16::MAX);
    let query = sqlx::query_scalar(sql).bind(index.table).bind(columns).bind(keys).bind(index.bytewise);
    query.bind(index.unique).bind(index.condition).fetch_optional(db).await
}

impl Index {
    fn create(&self) -> String {
        let Self { name, table, unique, keys, bytewise, included, condition } = self;
        let keys = keys.iter().map(|key| match bytewise {
            Some(bytewise) if bytewise == key => format!(r#"{key} COLLATE "C""#),
            _ => (*key).to_owned(),
        });
        let keys = keys.collect::<Vec<_>>().join(", ");
        let unique = if *unique { "UNIQUE " } else { "" };
        let included = if included.is_empty() { String::new() } else { format!(" INCLUDE ({})", included.join(", ")) };
        let condition = condition.map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
        format!("CREATE {unique}INDEX CONCURRENTLY {name} ON {table} ({keys}){included}{condition}")
    }
}
