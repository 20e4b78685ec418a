//! Checks that a database still has the tables and indexes of its migrations, which the version does not guarantee.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

/// Returns the tables and indexes as kind, name and statement, each table before its indexes.
async fn parts(db: &mut SqliteConnection) -> sqlx::Result<Vec<(String, String, String)>> {
    let sql = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC";
    sqlx::query_as(sql).fetch_all(db).await
}

/// Returns the columns, each with its table.
async fn columns(db: &mut SqliteConnection) -> sqlx::Result<BTreeSet<(String, String)>> {
    let sql = "SELECT part.name, info.name FROM sqlite_schema AS part, pragma_table_info(part.name) AS info";
    Ok(sqlx::query_as(sql).fetch_all(db).await?.into_iter().collect())
}

/// Creates `sandbox_tags` and indexes again if they are missing. Returns the missing part if it is another table or a
/// column, which cannot be created again.
pub(super) async fn complete(db: &mut SqliteConnection, migrations: &[&'static str]) -> sqlx::Result<Option<String>> {
    let mut whole = SqliteConnection::connect("sqlite::memory:").await?;
    for migration in migrations {
        sqlx::raw_sql(*migration).execute(&mut whole).await?;
    }
    let (wanted, wanted_columns) = (parts(&mut whole).await?, columns(&mut whole).await?);
    whole.close().await?;
    let found = parts(db).await?;
    if wanted.iter().any(|part| !found.iter().any(|(_, name, _)| *name == part.1)) {
        let mut write = db.begin_with("BEGIN IMMEDIATE").await?;
        let names: BTreeSet<_> = parts(&mut write).await?.into_iter().map(|(_, name, _)| name).collect();
        for (kind, name, sql) in wanted.into_iter().filter(|(_, name, _)| !names.contains(name)) {
            if kind == "table" && name != "sandbox_tags" {
                return Ok(Some(format!("the table `{name}` is missing")));
            }
            tracing::warn!("the {kind} `{name}` was missing and is created again");
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *write).await?;
        }
        write.commit().await?;
    }
    let found = columns(db).await?;
    let missing = wanted_columns.iter().find(|one| !found.contains(*one));
    Ok(missing.map(|(table, column)| format!("the column `{column}` of table `{table}` is missing")))
}
