//! Tenant isolation: every statement names the org, and no endpoint reveals another org's sandboxes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod common;

use common::database::BIG_TABLES;
use common::{Engine, ORG, OTHER, Request, Server, on_both_engines};
use opencomputer_usage_core::query::{Parameters, UsageQuery};
use opencomputer_usage_core::usage::accounting::Rule;
use opencomputer_usage_core::usage::plan::Plan;
use opencomputer_usage_server::store::{self, statements};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Column, Connection, Executor, PgConnection, Row, Statement, TypeInfo};

/// Tables of tenants' data.
const TENANT_TABLES: [&str; 5] =
    ["api_keys", "sandbox_sessions", "sandbox_scale_events", "sandbox_tags", "sandbox_usage_samples"];

/// Statements that cannot know the org: the lookup of a key decides it, a worker has sandboxes of many, and pruning
/// finds the orgs that have samples.
const EXEMPT: [&str; 3] = ["CALLER", "LEFT_OPEN", "SAMPLED_ORGS"];

/// Statements on a platform's samples, whose key does not contain the org. That table is not partitioned by org.
const ON_PLATFORM_SAMPLES: [&str; 4] =
    ["PLATFORM_SAMPLES", "PRUNE_PLATFORM_SAMPLES", "UPDATE_SAMPLES", "INSERT_SAMPLES"];

/// A plan with all kinds of dimensions and conditions, and with buckets.
fn with_everything() -> Plan {
    let query = "groupBy=tag:c,tag:d,region&filter[tag:a]=x,y&filter[tag:b]=&filter[sandbox]=sb-1&filter[template]=base\
        &filter[region]=&exclude[tag:a]=z&exclude[tag:d]=&exclude[sandbox]=sb-2&exclude[status]=error&exclude[template]=\
        &interval=1d&from=2026-01-01&to=2026-02-01";
    let query = UsageQuery::parse(&Parameters::decode(query), None).unwrap();
    query.plan("2026-02-01".parse().unwrap(), Rule::default()).unwrap()
}

/// Statements of imports into a platform's tables, which Citus does not distribute.
const ON_PLATFORM: [&str; 4] = ["UPDATE_SESSIONS", "INSERT_SESSIONS", "UPDATE_SCALES", "INSERT_SCALES"];

/// Splits a statement into its scopes: each `SELECT`, and the writing part.
fn scopes(sql: &str) -> Vec<String> {
    // From the innermost parenthesis outwards. A nested `SELECT` is a scope of its own.
    let mut scopes = Vec::new();
    let mut stack = vec![String::new()];
    for c in sql.chars() {
        match c {
            '(' => stack.push(String::new()),
            ')' => {
                let inner = stack.pop().unwrap();
                if inner.trim_start().starts_with("SELECT") {
                    scopes.push(inner);
                } else {
                    // A list or an expression belongs to the scope around it.
                    let outer = stack.last_mut().unwrap();
                    outer.push('(');
                    outer.push_str(&inner);
                    outer.push(')');
                }
            }
            c => stack.last_mut().unwrap().push(c),
        }
    }
    scopes.push(stack.pop().unwrap());
    assert!(stack.is_empty(), "{sql}");
    scopes
}

/// Counts the tenant tables that a scope reads or writes, and the conditions that tie rows to an org.
fn tables_and_ties(scope: &str) -> (usize, usize) {
    let words: Vec<_> = scope.split_whitespace().map(|word| word.trim_matches(['(', ')', ','])).collect();
    let touches =
        |pair: &[&str]| matches!(pair[0], "FROM" | "JOIN" | "INTO" | "UPDATE") && TENANT_TABLES.contains(&pair[1]);
    let tables = words.windows(2).filter(|pair| touches(pair)).count();
    let is_org = |word: &str| word == "org_id" || word.ends_with(".org_id");
    let compared = words.windows(3).filter(|three| is_org(three[0]) && three[1] == "=");
    let inserts = words.contains(&"INTO") && words.iter().any(|word| is_org(word));
    let in_pairs = scope.contains("(org_id, sandbox_id) IN");
    (tables, compared.count() + usize::from(inserts) + usize::from(in_pairs))
}

#[test]
fn every_statement_names_the_org_of_every_table_it_touches() {
    for engine in [store::Engine::Sqlite, store::Engine::Postgres] {
        let all = statements(engine, &with_everything()).unwrap();
        assert!(all.len() > 20, "{engine:?}: {}", all.len());
        let mut touching = 0;
        for (name, sql) in &all {
            for scope in scopes(sql) {
                let (tables, ties) = tables_and_ties(&scope);
                touching += tables;
                let allowed = EXEMPT.contains(name) && scope.starts_with("SELECT");
                assert!(ties >= tables || allowed, "{engine:?} {name}: {tables} tables, {ties} ties in\n{scope}");
            }
        }
        assert!(touching > 25, "{engine:?}: only {touching} tables are seen");
        for name in EXEMPT {
            assert!(all.iter().any(|(known, _)| *known == name), "{engine:?} has no {name}");
        }
    }
}

/// Checks that the audit can fail.
#[test]
fn the_audit_finds_statements_without_an_org() {
    let faulty = [
        "SELECT 1 FROM sandbox_tags WHERE sandbox_id = $2",
        "SELECT 1 FROM sandbox_tags AS tag JOIN sandbox_sessions AS one ON one.sandbox_id = tag.sandbox_id
         WHERE tag.org_id = $1",
        "DELETE FROM sandbox_tags WHERE key = $1",
    ];
    for sql in faulty {
        assert!(scopes(sql).iter().any(|scope| tables_and_ties(scope).0 > tables_and_ties(scope).1), "{sql}");
    }
    let nested =
        "SELECT 1 FROM sandbox_tags WHERE org_id = $1 AND EXISTS (SELECT 1 FROM sandbox_sessions AS s WHERE s.id = 1)";
    assert!(scopes(nested).iter().any(|scope| tables_and_ties(scope) == (1, 0)));
}

/// Checks that no statement is written outside of the audited lists.
#[test]
fn every_statement_is_in_the_audited_lists() {
    for file in
        ["postgres/mod.rs", "postgres/read.rs", "postgres/write.rs", "postgres/import.rs", "postgres/conditions.rs"]
            .into_iter()
            .chain([
                "sqlite/mod.rs",
                "sqlite/read.rs",
                "sqlite/write.rs",
                "sqlite/import.rs",
                "sqlite/conditions.rs",
                "mod.rs",
            ])
    {
        let path = format!("{}/src/store/{file}", env!("CARGO_MANIFEST_DIR"));
        let source = std::fs::read_to_string(&path).unwrap();
        for (number, line) in source.lines().enumerate() {
            let is_condition = line.contains(" AS has") || line.contains("sandbox_id IN (SELECT");
            let hides = TENANT_TABLES.iter().any(|table| line.contains(&format!("{table} ")));
            let vacuum = line.contains("VACUUM") || line.contains("ANALYZE");
            let condition = is_condition || line.contains("NOT IN (SELECT") || vacuum || line.trim().starts_with("//");
            assert!(!hides || condition, "{file}:{}: {line}", number + 1);
        }
    }
}

fn lines(id: &str, memory_mb: u32, team: &str, status: &str) -> String {
    format!(
        r#"{{"type":"session","sandboxId":"{id}","template":"{team}","region":"use2","workerId":"w-1","status":"{status}","startedAt":"2026-01-13T00:00:00Z","stoppedAt":null,"alias":"{team}"}}
{{"type":"scale","sandboxId":"{id}","memoryMb":{memory_mb},"cpuPercent":100,"diskMb":20480,"startedAt":"2026-01-13T00:00:00Z","endedAt":"2026-01-14T00:00:00Z"}}
{{"type":"tags","sandboxId":"{id}","tags":{{"team":"{team}"}}}}
{{"type":"sample","sandboxId":"{id}","sampledAt":"2026-01-13T00:00:00Z","memoryBytes":{memory_bytes}}}
"#,
        memory_bytes = u64::from(memory_mb) << 20,
    )
}

async fn colliding_ids_stay_apart_on_every_endpoint(engine: Engine) {
    let server = Server::start(engine).await;
    server.import(ORG, &(lines("same", 1024, "ours", "running"))).await.unwrap();
    server
        .import(OTHER, &(lines("same", 4096, "theirs", "running") + &lines("alone", 1024, "theirs", "running")))
        .await
        .unwrap();
    let keys = [(server.key.clone(), 1.0, "ours", 1), (server.other_key.clone(), 4.0, "theirs", 2)];
    let get = async |key: &str, target: &str| Request::new("GET", target).key(key).send(&server).await.json();
    let window = "from=2026-01-10&to=2026-01-20";
    for (key, gb, team, sandboxes) in &keys {
        let memory = json!(gb * 86_400.0);
        let by_sandbox = get(key, &format!("/api/usage?groupBy=sandbox&{window}")).await;
        let items = by_sandbox["items"].as_array().unwrap();
        assert_eq!(items.len(), *sandboxes);
        assert_eq!((&items[0]["memoryGbSeconds"], &items[0]["alias"]), (&memory, &json!(team)));
        assert_eq!(items[0]["tags"], json!({ "team": team }));
        let by_tag = get(key, &format!("/api/usage?groupBy=tag:team&{window}")).await;
        assert_eq!(by_tag["items"].as_array().unwrap().len(), 1);
        assert_eq!(
            (&by_tag["items"][0]["tagValue"], &by_tag["items"][0]["sandboxCount"]),
            (&json!(team), &json!(sandboxes))
        );
        for filter in ["filter[tag:team]=ours", "filter[tag:team]=theirs", "filter[tag:team]="] {
            let page = get(key, &format!("/api/usage?groupBy=sandbox&{window}&{filter}")).await;
            let wanted = if filter.ends_with(team) { *sandboxes } else { 0 };
            assert_eq!(page["items"].as_array().unwrap().len(), wanted, "{team} {filter}");
        }
        let drilled = get(key, &format!("/api/sandboxes/same/usage?{window}")).await;
        assert_eq!((&drilled["memoryGbSeconds"], &drilled["alias"]), (&memory, &json!(team)));
        assert_eq!(drilled["totals"]["memoryUsedGbSeconds"], json!(gb * 60.0));
        assert_eq!(get(key, "/api/sandboxes/same/tags").await["tags"], json!({ "team": team }));
        assert_eq!(get(key, "/api/sandboxes/same").await["template"], json!(team));
        assert_eq!(get(key, "/api/tags").await["keys"][0]["sandboxCount"], json!(sandboxes));
        let values = get(key, "/api/tags/team").await;
        assert_eq!(values["values"], json!([{ "value": team, "sandboxCount": sandboxes }]));
        let lists = ["", "?state=all", "?filter[sandbox]=same,alone", "?exclude[tag:team]=none&state=all"];
        for list in lists {
            let listed = get(key, &format!("/api/sandboxes{list}")).await;
            let listed = listed.as_array().unwrap();
            assert_eq!(listed.len(), *sandboxes, "{list}");
            assert!(listed.iter().all(|one| one["alias"] == *team && one["tags"]["team"] == *team), "{listed:?}");
        }
        for condition in ["filter[tag:team]=theirs", "filter[template]=theirs", "exclude[tag:team]=ours"] {
            let listed = get(key, &format!("/api/sandboxes?state=all&{condition}")).await;
            let wanted = if *team == "theirs" { *sandboxes } else { 0 };
            assert_eq!(listed.as_array().unwrap().len(), wanted, "{team} {condition}");
        }
    }
    let put = |key: &str| Request::new("PUT", "/api/sandboxes/same/tags").key(key).json(r#"{"team":"new"}"#);
    assert_eq!(put(&server.key).send(&server).await.status, 200);
    assert_eq!(get(&server.other_key, "/api/sandboxes/same/tags").await["tags"], json!({ "team": "theirs" }));
    let import = r#"{"type":"tags","sandboxId":"same","tags":{}}"#;
    server.import(ORG, import).await.unwrap();
    assert_eq!(get(&server.other_key, "/api/sandboxes/same/tags").await["tags"], json!({ "team": "theirs" }));
    assert_eq!(get(&server.key, "/api/sandboxes/same/tags").await["tags"], json!({}));
}

async fn foreign_and_unknown_sandboxes_get_the_same_404(engine: Engine) {
    let server = Server::start(engine).await;
    server.import(OTHER, &lines("alone", 1024, "theirs", "running")).await.unwrap();
    let requests = |id: &str| {
        let path = format!("/api/sandboxes/{id}");
        let get = |end: &str| Request::new("GET", &format!("{path}{end}"));
        let put = || Request::new("PUT", &format!("{path}/tags"));
        [
            get(""),
            get("/usage"),
            get("/tags"),
            put().json("{}"),
            put().json("no json"),
            put().body("{}"),
            put().header("if-match", "*").json("{}"),
        ]
    };
    for (foreign, unknown) in requests("alone").into_iter().zip(requests("nobody")) {
        let send = async |request: Request| request.key(&server.key).header("x-request-id", "r").send(&server).await;
        let (foreign, unknown) = (send(foreign).await, send(unknown).await);
        assert_eq!((foreign.status, foreign.code().as_str()), (404, "sandbox_not_found"));
        assert_eq!(foreign.without_date(), unknown.without_date());
    }
    let tags = Request::new("GET", "/api/sandboxes/alone/tags").key(&server.other_key).send(&server).await;
    assert_eq!(tags.json()["tags"], json!({ "team": "theirs" }));
}

on_both_engines!(colliding_ids_stay_apart_on_every_endpoint, foreign_and_unknown_sandboxes_get_the_same_404);

/// Returns arguments of the types of a statement, all of one org.
fn arguments(types: &[String]) -> String {
    let value = |name: &String| match name.as_str() {
        "UUID" => format!("'{ORG}'"),
        "UUID[]" => format!("'{{{ORG}}}'"),
        "TEXT" | "VARCHAR" | "NAME" => "'w-1'".to_owned(),
        "TEXT[]" => "'{sb-1}'".to_owned(),
        "BOOL[]" => "'{f}'".to_owned(),
        "INT4" | "INT8" => "1".to_owned(),
        "INT4[]" | "INT8[]" => "'{1}'".to_owned(),
        "TIMESTAMPTZ" => "'2026-01-01Z'".to_owned(),
        "TIMESTAMPTZ[]" => "'{2026-01-01Z}'".to_owned(),
        other => panic!("no argument of type {other}"),
    };
    types.iter().map(value).collect::<Vec<_>>().join(", ")
}

/// Collects the values of a member of a plan at every depth.
fn members<'a>(plan: &'a Value, name: &str, into: &mut Vec<&'a Value>) {
    match plan {
        Value::Object(members_of) => {
            into.extend(members_of.get(name));
            members_of.values().for_each(|member| members(member, name, into));
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, name, into)),
        _ => (),
    }
}

async fn plan(db: &mut PgConnection, sql: &str) -> Value {
    let prepared = db.prepare(AssertSqlSafe(sql.to_owned()).into_sql_str()).await.unwrap();
    let types = match prepared.parameters() {
        Some(sqlx::Either::Left(types)) => types.iter().map(|one| one.name().to_owned()).collect(),
        _ => Vec::new(),
    };
    assert!(prepared.columns().iter().all(|column| !column.name().is_empty()));
    let arguments = arguments(&types);
    let call = if arguments.is_empty() { String::new() } else { format!("({arguments})") };
    let sql = format!("PREPARE one AS {sql}; EXPLAIN (FORMAT JSON) EXECUTE one {call}; DEALLOCATE one");
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(db).await.unwrap();
    serde_json::from_str(&rows[0].get_unchecked::<String, _>(0)).unwrap()
}

use sqlx::SqlSafeStr;

/// On tables that are partitioned by org, a tenant's statement reads one partition.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_statement_touches_one_partition() {
    let server = Server::start(Engine::Partitioned).await;
    server.import(ORG, &lines("sb-1", 1024, "a", "running")).await.unwrap();
    let mut db = PgConnection::connect(server.database.url()).await.unwrap();
    sqlx::raw_sql("SET plan_cache_mode = force_custom_plan").execute(&mut db).await.unwrap();
    let mut db = db.begin().await.unwrap();
    let mut seen = 0;
    for (name, sql) in statements(store::Engine::Postgres, &with_everything()).unwrap() {
        // A worker has sandboxes of many orgs, which the join finds at run time. So does an import the org of its
        // sessions in a platform's table.
        if EXEMPT.contains(&name) || ["CLOSE_SESSIONS", "CLOSE_SCALES", "UPDATE_SESSIONS"].contains(&name) {
            continue;
        }
        if ON_PLATFORM_SAMPLES.contains(&name) {
            continue;
        }
        if server.database.engine == Engine::Citus && ON_PLATFORM.contains(&name) {
            continue;
        }
        if ["STAGE", "PROBE_ROOM"].contains(&name) {
            // They read no big table, but other statements need the table of imports.
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *db).await.unwrap();
            continue;
        }
        let plan = plan(&mut db, &sql).await;
        // Citus explains the tasks of a statement. Each of them has its own shards, whose names are like partitions'.
        let mut tasks = Vec::new();
        members(&plan, "Task Count", &mut tasks);
        assert!(tasks.iter().all(|count| **count == 1), "{name}: {plan:#}");
        let mut touched = Vec::new();
        members(&plan, "Relation Name", &mut touched);
        for table in BIG_TABLES {
            let mut partitions: Vec<_> = touched
                .iter()
                .filter_map(|name| name.as_str())
                .filter(|name| name.strip_prefix(table).is_some_and(|rest| rest.starts_with('_')))
                .collect();
            partitions.sort_unstable();
            partitions.dedup();
            assert!(partitions.len() <= 1, "{name} touches {partitions:?}");
            seen += partitions.len();
        }
    }
    assert!(seen > 15, "only {seen} scans of a partition are seen");
}
