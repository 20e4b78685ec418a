//! Brings a database up to date: an empty one, one of ours, or a platform's that has data of its own.
//!
//! Safe to run by several servers at once: one works, the others wait by asking again. (Waiting inside a statement
//! would hold a snapshot, and a concurrent index build waits for every snapshot.)

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::read;
use super::schema::{self, Fault, Found};
use crate::store::OpenError;

/// The version that this program makes.
const VERSION: i32 = 1;

/// Any number, as long as no other program takes it for its lock on this database.
const LOCK: &str = "SELECT pg_try_advisory_lock(7302491750618246)";

/// Migrates over a connection of its own; tells whether the database is a platform's.
pub(super) async fn migrate(options: &PgConnectOptions) -> Result<bool, Fault> {
    let mut db = PgConnection::connect_with(options).await?;
    sqlx::raw_sql("SET statement_timeout = 0; SET client_min_messages = warning").execute(&mut db).await?;
    while !sqlx::query_scalar::<_, bool>(LOCK).fetch_one(&mut db).await? {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let platform = run(&mut db).await;
    // Closing gives the lock back.
    let _ = db.close().await;
    platform
}

async fn run(db: &mut PgConnection) -> Result<bool, Fault> {
    let marked = sqlx::query_scalar("SELECT to_regclass('usage_schema') IS NOT NULL").fetch_one(&mut *db).await?;
    let platform = if marked {
        let (found, platform) = read::schema(db).await?;
        if found > VERSION {
            let (found, known) = (found.unsigned_abs(), VERSION.unsigned_abs());
            return Err(OpenError::Newer { found, known }.into());
        }
        platform
    } else {
        create(db).await?
    };
    schema::complete(db, platform).await?;
    Ok(platform)
}

/// The first migration of a database; tells whether it is a platform's.
async fn create(db: &mut PgConnection) -> Result<bool, Fault> {
    let found = schema::recognize(db).await?;
    let platform = matches!(found, Found::Platform);
    let mut write = db.begin().await?;
    if matches!(found, Found::Empty) {
        sqlx::raw_sql(include_str!("../../../migrations/postgres/0001_schema.sql")).execute(&mut *write).await?;
    }
    schema::create_tags(&mut write).await?;
    sqlx::raw_sql(include_str!("../../../migrations/postgres/mark.sql")).execute(&mut *write).await?;
    let mark = sqlx::query("INSERT INTO usage_schema (version, platform) VALUES ($1, $2)");
    mark.bind(VERSION).bind(platform).execute(&mut *write).await?;
    write.commit().await?;
    Ok(platform)
}
