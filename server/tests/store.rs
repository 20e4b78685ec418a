//! Imports and exact sums, through the interface of the store.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use common::{Engine, ORG, OTHER, Server, on_engines};
use opencomputer_usage_core::query::{Parameters, UsageQuery};
use opencomputer_usage_core::usage::accounting::{Rule, Usage};
use opencomputer_usage_core::usage::grid::Grid;
use opencomputer_usage_core::usage::page::Page;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_server::demo;
use opencomputer_usage_server::import::import;
use opencomputer_usage_server::store::{self, Store, Tier};
use uuid::Uuid;

async fn pages(store: &dyn Store, org: Uuid, query: &str, now: Timestamp, rule: Rule) -> (Vec<Page>, Grid) {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let query = UsageQuery::parse(&Parameters::decode(format!("{query}{cursor}")), Some(now)).unwrap();
        let plan = query.plan(now, rule).unwrap();
        let (page, _) = store.usage(org, &plan).await.unwrap();
        let next = page.next_cursor.clone();
        pages.push(page);
        match next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => {
                return (pages, plan.grid);
            }
        }
    }
}

fn items(pages: &[Page]) -> Usage {
    pages.iter().flat_map(|page| &page.items).map(|group| group.usage).sum()
}

async fn every_sum_equals_the_rollup_in_integers(engine: Engine) {
    let server = Server::start(engine).await;
    let store = &*server.store;
    demo::load(store).await.unwrap();
    let now = store.now().await.unwrap();
    let today = demo::today(store).await.unwrap().micros();
    for rule in [Rule::V1, Rule::Clipped] {
        for (from_days, to_days) in [(90, 0), (60, 30), (3, -1)] {
            let day = |days: i64| Timestamp::from_micros(today - days * 86_400_000_000).unwrap();
            let window = format!("from={}&to={}&limit=37", day(from_days), day(to_days));
            let (by_sandbox, reading) = pages(store, demo::ORG, &format!("groupBy=sandbox&{window}"), now, rule).await;
            let rollup: Usage = store.rollup(demo::ORG, &reading).await.unwrap().unwrap().iter().map(Tier::usage).sum();
            assert!(rollup.memory > 0 && rollup.disk_overage > 0);
            assert_eq!(by_sandbox[0].total, rollup);
            assert_eq!(items(&by_sandbox), rollup);
            for key in ["team", "customer", "oc:plan", "nothing"] {
                let (by_tag, _) = pages(store, demo::ORG, &format!("groupBy=tag:{key}&{window}"), now, rule).await;
                assert_eq!(items(&by_tag) + by_tag[0].untagged.usage, rollup);
            }
            if from_days > 60 {
                continue; // the others are enough to drill into
            }
            let mut drilled = Usage::default();
            for group in by_sandbox.iter().flat_map(|page| &page.items) {
                let id = group.name().parse().unwrap();
                let one = store.sandbox_usage(demo::ORG, &id, &reading).await.unwrap().unwrap();
                assert_eq!(one.totals.usage, group.usage);
                drilled += one.totals.usage;
            }
            assert_eq!(drilled, rollup);
        }
    }
}

async fn sums_may_exceed_63_bits(engine: Engine) {
    let server = Server::start(engine).await;
    let mut wanted = 0;
    // Sums of products that fit, then a product that overflows.
    for (id, memory_mb) in [("sb-1", 1_000_000), ("sb-2", 2_147_483_647_u128)] {
        let line = |disk_mb| {
            format!(
                r#"{{"type":"scale","sandboxId":"{id}","memoryMb":{memory_mb},"cpuPercent":1,"diskMb":{disk_mb},"startedAt":"2026-01-01T00:00:00Z","endedAt":"2026-03-01T00:00:00Z"}}"#
            )
        };
        let lines = (0..2000).map(line).collect::<Vec<_>>().join("\n");
        server.import(ORG, &lines).await.unwrap();
        wanted += 2000 * memory_mb * 59 * 86_400_000_000;
        let now = server.store.now().await.unwrap();
        for group_by in ["sandbox", "tag:team"] {
            let query = format!("groupBy={group_by}&from=2026-01-01&to=2026-03-01");
            let (pages, _) = pages(&*server.store, ORG, &query, now, Rule::default()).await;
            assert_eq!(pages[0].total.memory, wanted);
            assert_eq!(items(&pages) + pages[0].untagged.usage, pages[0].total);
        }
    }
}

/// An import rejects such an event, but a platform may have one.
async fn an_event_that_ends_before_it_starts_is_billed_as_zero(engine: Engine) {
    let server = Server::start(engine).await;
    let [start, end] = ["2026-01-03", "2026-01-02"].map(|day| server.database.instant(day));
    let event = format!(
        "INSERT INTO sandbox_scale_events (org_id, sandbox_id, memory_mb, cpu_percent, disk_mb, started_at, ended_at)
         VALUES ('{ORG}', 'sb-1', 1024, 100, 30000, {start}, {end})"
    );
    server.database.execute(&event).await;
    let now = server.store.now().await.unwrap();
    let (pages, reading) =
        pages(&*server.store, ORG, "groupBy=sandbox&from=2026-01-01&to=2026-01-05", now, Rule::default()).await;
    assert_eq!((pages[0].total, pages[0].items.len()), (Usage::default(), 1));
    let tiers = server.store.rollup(ORG, &reading).await.unwrap().unwrap();
    assert_eq!(tiers, [Tier { memory_mb: 1024, disk_mb: 30_000, micros: 0 }]);
}

const LINES: &str = r#"
{"type":"session","sandboxId":"sb-1","template":"base","region":"use2","workerId":"w-1","status":"running","startedAt":"2026-01-01T00:00:00Z","stoppedAt":null,"alias":"my-agent"}
{"type":"scale","sandboxId":"sb-1","memoryMb":4096,"cpuPercent":100,"diskMb":20480,"startedAt":"2026-01-01T00:00:00Z","endedAt":null}

{"type":"tags","sandboxId":"sb-1","tags":{"team":"payments","oc:plan":"pro"}}
"#;

/// Returns every stored row, in the same order on both engines.
async fn dump(server: &Server) -> Vec<String> {
    let micros = |column: &str| match engine_of(server) {
        Engine::Sqlite => column.to_owned(),
        _ => format!("(extract(epoch FROM {column}) * 1000000)::bigint"),
    };
    let (start, stop, end, updated) =
        (micros("started_at"), micros("stopped_at"), micros("ended_at"), micros("updated_at"));
    let sql = format!(
        "SELECT concat_ws('|', 1, id, sandbox_id, config, status, {start}, {stop}) FROM sandbox_sessions
         UNION ALL SELECT concat_ws('|', 2, id, sandbox_id, memory_mb, cpu_percent, {start}, {end}) FROM sandbox_scale_events
         UNION ALL SELECT concat_ws('|', 3, sandbox_id, key, value, {updated}) FROM sandbox_tags"
    );
    let mut rows = server.database.texts(&sql).await;
    rows.sort();
    rows
}

fn engine_of(server: &Server) -> Engine {
    server.database.engine
}

async fn importing_again_changes_nothing_and_later_ends_are_applied(engine: Engine) {
    let server = Server::start(engine).await;
    let imported = server.import(ORG, LINES).await.unwrap();
    assert_eq!(imported.to_string(), "imported 1 session, 1 scale event, 1 tag set, 0 samples");
    let before = dump(&server).await;
    assert_eq!(before.len(), 4);
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    server.import(ORG, LINES).await.unwrap();
    assert_eq!(dump(&server).await, before);
    let later = LINES.replace(r#""endedAt":null"#, r#""endedAt":"2026-01-02T00:00:00Z""#).replace("pro", "basic");
    server.import(ORG, &later.replace(r#""my-agent""#, "null")).await.unwrap();
    let after = dump(&server).await;
    assert_eq!(after.len(), 4);
    assert!(after[1].ends_with("|1767312000000000"), "{}", after[1]);
    assert!(after[0].contains("|{}|"), "{}", after[0]);
    // User tags are always replaced, system tags only by a line that has some.
    server.import(ORG, r#"{"type":"tags","sandboxId":"sb-1","tags":{"env":"prod"}}"#).await.unwrap();
    let tags: Vec<_> = dump(&server).await.split_off(2);
    assert!(tags.iter().any(|tag| tag.contains("basic")) && tags.iter().any(|tag| tag.contains("prod")));
    assert_eq!(tags.len(), 2);
}

async fn only_the_last_tags_of_a_sandbox_count(engine: Engine) {
    let server = Server::start(engine).await;
    let line = |tags: &str| format!(r#"{{"type":"tags","sandboxId":"sb-1","tags":{{{tags}}}}}"#);
    let lines = [r#""team":"payments","oc:plan":"pro""#, r#""team":"search","env":"dev""#, r#""team":"payments""#];
    let lines = lines.map(line).join("\n");
    assert_eq!(server.import(ORG, &lines).await.unwrap().tag_sets, 3);
    let before = dump(&server).await;
    assert!(before.len() == 2 && before[0].contains("pro") && before[1].contains("payments"), "{before:?}");
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    server.import(ORG, &lines).await.unwrap();
    assert_eq!(dump(&server).await, before);
}

async fn tags_that_change_back_and_forth_in_one_file_keep_their_time(engine: Engine) {
    let server = Server::start(engine).await;
    let line = |id: &str, tags: &str| format!(r#"{{"type":"tags","sandboxId":"{id}","tags":{{{tags}}}}}"#);
    // Each part exceeds a batch, in lines or in bytes.
    let many = |team: &str| (0..1_500).map(|n| line(&format!("sb-{n}"), team) + "\n").collect::<String>();
    let long = (0..5).map(|n| format!("{}{}\n", line("sb-1", r#""team":"c""#), " ".repeat(1_000_000 + n)));
    let parts = [
        line("sb-0", r#""team":"a","env":"dev","oc:plan":"free""#),
        many(r#""team":"b""#),
        line("sb-0", r#""team":"c","oc:plan":"pro""#),
        long.collect(),
        line("sb-0", r#""team":"a""#),
        many(r#""team":"d""#),
        line("sb-0", r#""team":"b","env":"prod""#),
    ];
    let lines = parts.join("\n");
    server.import(OTHER, &line("sb-0", r#""team":"theirs""#)).await.unwrap();
    assert_eq!(server.import(ORG, &lines).await.unwrap().tag_sets, 3_009);
    let before = dump(&server).await;
    assert_eq!(before.len(), 1_503);
    for tag in ["|env|prod|", "|team|b|", "|oc:plan|pro|", "|team|theirs|"] {
        assert!(before.iter().any(|row| row.contains(&format!("sb-0{tag}"))), "{tag}");
    }
    assert_eq!(before.iter().filter(|row| row.contains("|team|d|")).count(), 1_499);
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    server.import(ORG, &lines).await.unwrap();
    assert_eq!(dump(&server).await, before);
    // An import that fails after some batches leaves nothing behind.
    let error = server.import(ORG, &format!("{}{{", many(r#""team":"z""#))).await.unwrap_err();
    assert!(error.to_string().starts_with("line 1501: "), "{error}");
    server.import(ORG, &lines).await.unwrap();
    assert_eq!(dump(&server).await, before);
}

async fn a_file_is_utf8_and_may_start_with_a_byte_order_mark(engine: Engine) {
    let server = Server::start(engine).await;
    let line = LINES.trim().lines().next().unwrap();
    assert_eq!(server.import(ORG, &format!("\u{feff}{line}\n")).await.unwrap().sessions, 1);
    let error = server.import(ORG, &format!("{line}\n\u{feff}{line}\n")).await.unwrap_err().to_string();
    assert_eq!(error, "line 2: a line must be a JSON object");
    let bytes = [line.as_bytes(), b"\n{\"type\":\"tags\",\"sandboxId\":\"sb-\xff\",\"tags\":{}}"].concat();
    let error = import(&*server.store, ORG, &*bytes, |_, _| {}).await.unwrap_err().to_string();
    assert_eq!(error, "line 2: a line must be valid UTF-8");
}

async fn an_import_that_waits_for_its_input_does_not_block_writers(engine: Engine) {
    let server = Server::start(engine).await;
    server.import(ORG, LINES).await.unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let store = server.store.clone();
    let runtime = tokio::runtime::Handle::current();
    let waiting = tokio::task::spawn_blocking(move || {
        runtime.block_on(async { import(&*store, ORG, std::io::BufReader::new(reader), |_, _| {}).await })
    });
    std::io::Write::write_all(&mut writer, LINES.as_bytes()).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let written = server.put("/api/sandboxes/sb-1/tags", r#"{"team":"search"}"#).await;
    assert_eq!(written.status, 200, "{}", written.text);
    drop(writer);
    assert_eq!(waiting.await.unwrap().unwrap().sessions, 1);
}

/// A restart and reads beside a long import.
async fn a_database_opens_while_an_import_is_under_way(engine: Engine) {
    let server = Server::start(engine).await;
    server.import(ORG, LINES).await.unwrap();
    let _writing = server.store.importer(ORG).await.unwrap();
    let opened = store::open(server.database.url()).await.unwrap();
    assert!(opened.has_sandbox(ORG, &"sb-1".parse().unwrap()).await.unwrap());
}

async fn the_error_names_an_invalid_line_and_nothing_is_written(engine: Engine) {
    let scale = |fields: &str| format!(r#"{{"type":"scale","sandboxId":"sb-1","cpuPercent":1,{fields}}}"#);
    let session = |fields: &str| {
        format!(
            r#"{{"type":"session","sandboxId":"sb-1",{fields}"region":"","workerId":"","startedAt":"2026-01-01T00:00:00Z"}}"#
        )
    };
    let cases = [
        ("{", "EOF while parsing"),
        (r#"["tags"]"#, "must be a JSON object"),
        (r#"{"type":"sessions"}"#, "unknown variant `sessions`"),
        (r#"{"sandboxId":"sb-1"}"#, "missing field `type`"),
        (r#"{"type":"tags","sandboxId":"sb-1","tags":{},"more":1}"#, "unknown field `more`"),
        (r#"{"type":"tags","sandboxId":"","tags":{}}"#, "`sandboxId`: sandbox id is empty"),
        (r#"{"type":"tags","sandboxId":7,"tags":{}}"#, "`sandboxId`: invalid type: integer `7`"),
        (r#"{"type":"tags","sandboxId":"sb-1","tags":{"a":"\ud800"}}"#, "a lone surrogate"),
        (r#"{"type":"tags","sandboxId":"sb-1","tags":{"\udc00x":"b"}}"#, "a lone surrogate"),
        (&session(r#""template":"","status":"","#), "`status`: must not be empty"),
        (&session(r#""template":"a\u0000","status":"running","#), "`template`: a text contains U+0000"),
        (&session(r#""template":"","status":"running","alias":1,"#), "`alias`: invalid type: integer `1`"),
        (r#"{"type":"tags","sandboxId":"sb-1","tags":[]}"#, "got an array"),
        (r#"{"type":"tags","sandboxId":"sb-1","tags":{"a":"1","a":"2"}}"#, "twice"),
        (r#"{"type":"tags","sandboxId":"sb-1","tags":{"a b":"1"}}"#, "tag key contains ` `"),
        (r#"{"type":"tags","sandboxId":"sb-1","tags":{"oc:a b":"1"}}"#, "tag key contains ` `"),
        (r#"{"type":"tags","sandboxId":"sb-1","tags":{"oc:a":1}}"#, "tag value must be a string"),
        (
            &scale(r#""memoryMb":-1,"diskMb":1,"startedAt":"2026-01-01","endedAt":null"#),
            "`memoryMb`: invalid value: integer `-1`",
        ),
        (
            &scale(r#""memoryMb":1.5,"diskMb":1,"startedAt":"2026-01-01","endedAt":null"#),
            "`memoryMb`: invalid type: floating point `1.5`",
        ),
        (
            &scale(r#""memoryMb":2147483648,"diskMb":1,"startedAt":"2026-01-01""#),
            "`memoryMb`: the size 2147483648 is too large",
        ),
        (
            &scale(r#""memoryMb":1,"diskMb":1,"startedAt":"2026-01-01T00:00:00""#),
            "`startedAt`: invalid timestamp `2026-01-01T00:00:00`, allowed: RFC 3339",
        ),
        (
            &scale(r#""memoryMb":1,"diskMb":1,"startedAt":"2026-01-01","endedAt":"""#),
            "`endedAt`: invalid timestamp ``, allowed:",
        ),
        (&scale(r#""memoryMb":1,"diskMb":1,"startedAt":"2026-01-02","endedAt":"2026-01-01""#), "is before `startedAt`"),
        (&scale(r#""diskMb":1,"startedAt":"2026-01-02""#), "missing field `memoryMb`"),
    ];
    let server = Server::start(engine).await;
    for (line, fault) in cases {
        let error = server.import(ORG, &format!("{LINES}{line}\n")).await.unwrap_err().to_string();
        assert!(
            error.starts_with("line 6: ") && error.contains(fault) && !error.contains(" column "),
            "{line}: {error}"
        );
    }
    assert!(dump(&server).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_makes_its_pages_visible_to_index_only_scans() {
    let server = Server::start(Engine::Postgres).await;
    let line = |n: u32| {
        format!(
            r#"{{"type":"scale","sandboxId":"sb-{}","memoryMb":1024,"cpuPercent":1,"diskMb":{n},"startedAt":"2026-01-01T00:00:00Z"}}"#,
            n % 100
        )
    };
    server.import(ORG, &(0..10_001).map(line).collect::<Vec<_>>().join("\n")).await.unwrap();
    // Otherwise a sum reads the table for every index entry.
    let visible = "SELECT (relallvisible = relpages)::text FROM pg_class WHERE relname = 'sandbox_scale_events'";
    assert_eq!(server.database.texts(visible).await, ["true"]);
}

on_engines!(
    sqlite = super::Engine::Sqlite, postgres = super::Engine::Postgres, platform = super::Engine::Platform,
    partitioned = super::Engine::Partitioned;
    [
        every_sum_equals_the_rollup_in_integers,
        sums_may_exceed_63_bits,
        an_event_that_ends_before_it_starts_is_billed_as_zero,
        importing_again_changes_nothing_and_later_ends_are_applied,
        only_the_last_tags_of_a_sandbox_count,
        tags_that_change_back_and_forth_in_one_file_keep_their_time,
        a_file_is_utf8_and_may_start_with_a_byte_order_mark,
        an_import_that_waits_for_its_input_does_not_block_writers,
        a_database_opens_while_an_import_is_under_way,
        the_error_names_an_invalid_line_and_nothing_is_written,
    ]
);
