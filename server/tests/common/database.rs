//! A database for one test.

use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use opencomputer_usage_core::usage::window::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{AssertSqlSafe, Connection, Row};
use tempfile::TempDir;
use uuid::Uuid;

/// The engine and schema of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
    /// PostgreSQL that already has a platform's tables.
    Platform,
    /// PostgreSQL with the big tables hash-partitioned by org.
    Partitioned,
    /// Citus with the tables distributed as the guide says, in a schema of the database at `TEST_CITUS_URL`.
    Citus,
}

impl Engine {
    /// Returns `Citus` instead of the server's own schema on PostgreSQL if the tests run on a cluster. Tests then run one
    /// after the other, because they share a database.
    fn on_cluster(self) -> Self {
        let on_citus = matches!(self, Self::Postgres | Self::Partitioned) && citus_url().is_some();
        if on_citus { Self::Citus } else { self }
    }
}

/// The number of schemas that this process has created on Citus.
static SCHEMAS: AtomicU32 = AtomicU32::new(0);

fn citus_url() -> Option<String> {
    std::env::var("TEST_CITUS_URL").ok()
}

/// The tables that `Engine::Partitioned` partitions and `Engine::Citus` distributes.
pub const BIG_TABLES: [&str; 4] = ["sandbox_sessions", "sandbox_scale_events", "sandbox_tags", "sandbox_usage_samples"];

#[derive(Clone)]
pub struct Database {
    pub engine: Engine,
    url: String,
    _directory: std::sync::Arc<TempDir>,
}

/// Returns the URL of the PostgreSQL server. Half of the tests need one, so its absence is a failure.
fn server_url() -> String {
    std::env::var("TEST_DATABASE_URL").unwrap_or_else(|_| {
        panic!("these tests need PostgreSQL: run them with `scripts/postgres cargo …`, or set TEST_DATABASE_URL")
    })
}

impl Database {
    pub async fn create(engine: Engine) -> Self {
        let engine = engine.on_cluster();
        let directory = tempfile::tempdir().unwrap();
        if engine == Engine::Citus {
            let url = citus_url().unwrap();
            let mut db = PgConnection::connect(&url).await.expect("TEST_CITUS_URL names no PostgreSQL that answers");
            // Each test runs in a process of its own, which removes what the one before has left.
            let schema = format!("usage_test_{}", SCHEMAS.fetch_add(1, Ordering::Relaxed));
            let sql = format!(
                "SET client_min_messages = warning; DROP SCHEMA IF EXISTS {schema} CASCADE;
                 CREATE SCHEMA {schema}"
            );
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
            let separator = if url.contains('?') { '&' } else { '?' };
            let url = format!("{url}{separator}options[search_path]={schema}");
            return Self { engine, url, _directory: directory.into() };
        }
        if engine == Engine::Sqlite {
            let url = format!("sqlite://{}/usage.db", directory.path().display());
            return Self { engine, url, _directory: directory.into() };
        }
        let server = server_url();
        let name = format!("test_{}", Uuid::new_v4().simple());
        let mut db = PgConnection::connect(&server).await.expect("TEST_DATABASE_URL names no PostgreSQL that answers");
        // A platform's texts have the collation of its database, which is seldom `C`.
        let collation = if engine == Engine::Platform {
            "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LC_CTYPE 'C' LC_COLLATE 'C'"
        } else {
            ""
        };
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {collation}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
        let (server, options) = server.split_once('?').map_or((&*server, String::new()), |(a, b)| (a, format!("?{b}")));
        let base = server.get(..server.rfind('/').unwrap()).unwrap();
        let made = Self { engine, url: format!("{base}/{name}{options}"), _directory: directory.into() };
        if engine == Engine::Platform {
            made.execute(include_str!("platform.sql")).await;
        }
        made
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Connects as another role, whose password is its name.
    pub fn with_role(mut self, role: &str) -> Self {
        let (_, place) = self.url.rsplit_once('@').unwrap();
        self.url = format!("postgres://{role}:{role}@{place}");
        self
    }

    /// Replaces the URL of the database.
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect_with(&PgConnectOptions::from_str(&self.url).unwrap()).await.unwrap()
    }

    async fn sqlite(&self) -> SqlitePool {
        SqlitePool::connect_with(SqliteConnectOptions::from_str(&self.url).unwrap()).await.unwrap()
    }

    /// Runs statements on a separate connection.
    pub async fn execute(&self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match self.engine {
            Engine::Sqlite => sql.execute(&self.sqlite().await).await.map(|_| ()).unwrap(),
            _ => sql.execute(&mut self.connect().await).await.map(|_| ()).unwrap(),
        }
    }

    /// Returns the first column of every row, as text.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql);
        if self.engine == Engine::Sqlite {
            let rows = sqlx::query(sql).fetch_all(&self.sqlite().await).await.unwrap();
            return rows.iter().map(|row| row.get(0)).collect();
        }
        let rows = sqlx::query(sql).fetch_all(&mut self.connect().await).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Returns the first instant of a year in the engine's format.
    pub fn start_of(&self, year: u32) -> String {
        self.instant(&format!("{year}-01-01"))
    }

    /// Returns the start of a day in the engine's format.
    pub fn instant(&self, day: &str) -> String {
        match self.engine {
            Engine::Sqlite => day.parse::<Timestamp>().unwrap().micros().to_string(),
            _ => format!("'{day}Z'"),
        }
    }

    /// Creates an org if only the platform may create one.
    pub async fn add_org(&self, org: Uuid) {
        if self.engine == Engine::Platform {
            self.execute(&format!("INSERT INTO orgs (id, name, slug) VALUES ('{org}', 'org', '{org}')")).await;
        }
    }

    /// Replaces the events by a view in which sums over those of one org never end.
    pub async fn make_sums_endless(&self, org: Uuid) {
        let endless = match self.engine {
            Engine::Sqlite => format!(
                "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)
                 SELECT * FROM kept WHERE org_id <> '{org}'
                 UNION ALL SELECT kept.* FROM kept CROSS JOIN n WHERE org_id = '{org}'"
            ),
            _ => format!(
                "SELECT * FROM kept WHERE org_id <> '{org}'
                 UNION ALL SELECT * FROM kept WHERE org_id = '{org}' AND pg_sleep(60) IS NOT NULL"
            ),
        };
        let sql =
            format!("ALTER TABLE sandbox_scale_events RENAME TO kept; CREATE VIEW sandbox_scale_events AS {endless}");
        self.execute(&sql).await;
    }

    /// Rebuilds the big tables in four partitions each, or distributes them, unless that is done.
    pub async fn partition(&self) {
        if self.engine == Engine::Citus {
            return self.distribute().await;
        }
        if self.engine != Engine::Partitioned {
            return;
        }
        for table in BIG_TABLES {
            let part = |part| {
                format!(
                    "CREATE TABLE {table}_{part} PARTITION OF {table} FOR VALUES WITH (MODULUS 4, REMAINDER {part});"
                )
            };
            let sql = format!(
                "ALTER TABLE {table} RENAME TO whole;
                 CREATE TABLE {table} (LIKE whole INCLUDING ALL) PARTITION BY HASH (org_id);
                 DROP TABLE whole; {}",
                [0, 1, 2, 3].map(part).concat()
            );
            self.execute(&sql).await;
        }
    }

    /// Runs the statements of the guide, with few shards to save time.
    async fn distribute(&self) {
        const GUIDE: &str = include_str!("../../../docs/guides/citus.md");
        let distributed = "SELECT count(*)::text FROM pg_dist_partition
             WHERE logicalrelid = to_regclass('sandbox_sessions')";
        if self.texts(distributed).await == ["0"] {
            let mut blocks = GUIDE.split("```sql\n").filter_map(|part| part.split("```").next());
            let block = blocks.find(|block| block.contains("create_distributed_table")).unwrap();
            self.execute(&format!("SET citus.shard_count = 4; {block}")).await;
        }
    }
}
