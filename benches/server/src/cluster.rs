//! Databases on a PostgreSQL server.

use std::str::FromStr;

use anyhow::{Context, Result};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};

/// A PostgreSQL cluster, on which a program creates its databases.
pub struct Cluster {
    options: PgConnectOptions,
    url: String,
}

impl Cluster {
    /// Takes the URL of a server.
    pub fn new(url: String) -> Result<Self> {
        Ok(Self { options: PgConnectOptions::from_str(&url)?.disable_statement_logging(), url })
    }

    async fn admin(&self) -> Result<PgConnection> {
        Ok(self.options.connect().await?)
    }

    fn name(part: &str) -> String {
        format!("usage_bench_{part}_{}", std::process::id())
    }

    /// Creates a database and returns its URL.
    pub async fn create(&self, part: &str) -> Result<String> {
        let name = Self::name(part);
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut self.admin().await?).await?;
        self.url_of(&name)
    }

    /// Copies a database that has no connections.
    pub async fn copy(&self, from: &str, part: &str) -> Result<String> {
        let (from, name) = (Self::name(from), Self::name(part));
        let sql = format!("CREATE DATABASE {name} TEMPLATE {from}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.admin().await?).await?;
        self.url_of(&name)
    }

    fn url_of(&self, name: &str) -> Result<String> {
        let (start, query) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let (start, _) = start.rsplit_once('/').context("the URL of PostgreSQL names no database")?;
        Ok(format!("{start}/{name}?{query}"))
    }

    /// Drops a database, if it exists.
    pub async fn drop(&self, part: &str) -> Result<()> {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", Self::name(part));
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.admin().await?).await?;
        Ok(())
    }
}
