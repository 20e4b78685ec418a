//! Sums compared with the platform's own formulas, on the same rows in one PostgreSQL.
//!
//! The formulas are restated here. They have no floor at zero and read the clock themselves, so they are compared on
//! events that do not end before they start, over past windows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod common;

use common::{Database, Engine, ORG, OTHER};
use opencomputer_usage_core::query::{Parameters, UsageQuery};
use opencomputer_usage_core::usage::accounting::{Rule, Usage};
use opencomputer_usage_server::store::{self, Store, Tier};

/// The condition that an event's sandbox has its own subscription.
const SUBSCRIBED: &str = "EXISTS (
     SELECT 1 FROM sandbox_sessions AS session JOIN agent_subscriptions AS paid
         ON paid.org_id = session.org_id AND paid.agent_id = session.metadata ->> 'agent_id'
     WHERE session.sandbox_id = event.sandbox_id AND paid.status IN ('active', 'trialing', 'past_due', 'incomplete'))";

/// The billed end of an event on the platform, before and since June 2026.
fn billed_until(rule: Rule) -> &'static str {
    match rule {
        Rule::V1 => "CASE WHEN ended_at IS NULL THEN least(now(), w.until) ELSE ended_at END",
        Rule::Clipped => "least(CASE WHEN ended_at IS NULL THEN now() ELSE ended_at END, w.until)",
    }
}

/// The platform's rollup as rows of memory, disk and microseconds.
async fn platform(database: &Database, rule: Rule, [from, to]: [&str; 2], leave_out: &str) -> Vec<Tier> {
    let sql = format!(
        "SELECT concat_ws(' ', memory_mb, disk_mb, (1000000 * sum(seconds))::bigint) FROM (
             SELECT event.*, extract(epoch FROM {} - greatest(started_at, w.since)) AS seconds
             FROM sandbox_scale_events AS event, (SELECT '{from}'::timestamptz AS since, '{to}'::timestamptz AS until) AS w
             WHERE org_id = '{ORG}' AND started_at < w.until AND coalesce(ended_at > w.since, true) AND NOT ({leave_out})
         ) AS billed GROUP BY memory_mb, disk_mb ORDER BY memory_mb, disk_mb",
        billed_until(rule)
    );
    let tier = |row: &String| {
        let numbers: Vec<u64> = row.split(' ').map(|number| number.parse().unwrap()).collect();
        Tier { memory_mb: numbers[0], disk_mb: numbers[1], micros: numbers[2].into() }
    };
    database.texts(&sql).await.iter().map(tier).collect()
}

/// Returns our rollup, after comparing it with the total of every grouping.
async fn ours(store: &dyn Store, rule: Rule, [from, to]: [&str; 2]) -> Vec<Tier> {
    let now = store.now().await.unwrap();
    let query =
        |group_by| UsageQuery::parse(&Parameters::decode(format!("groupBy={group_by}&from={from}&to={to}")), None);
    let plan = query("sandbox").unwrap().plan(now, rule).unwrap();
    let tiers = store.rollup(ORG, &plan.grid).await.unwrap().unwrap();
    for plan in [plan, query("tag:team").unwrap().plan(now, rule).unwrap()] {
        let (page, _) = store.usage(ORG, &plan).await.unwrap();
        assert_eq!(page.total, tiers.iter().map(Tier::usage).sum());
    }
    tiers
}

/// Sixty sandboxes of six sizes with eight events each over four months. Some events are open, some have no length.
const FLEET: &str = "
    INSERT INTO sandbox_scale_events (sandbox_id, org_id, memory_mb, cpu_percent, disk_mb, started_at, ended_at)
    SELECT 'sb-' || n, org.id, 1024 << (n % 3), 100 * (1 + n % 4), 20480 + 10240 * (n % 2), start,
        CASE WHEN n % 9 = 0 AND i = 7 THEN NULL ELSE start + (n * i * i % 23) * interval '21 h 7 min 0.000003 s' END
    FROM generate_series(1, 60) AS n, generate_series(0, 7) AS i, orgs AS org,
        LATERAL (SELECT '2026-01-01Z'::timestamptz + (i * 311 + n * 7) * interval '1 h 0.012345 s' AS start) AS at;
    INSERT INTO sandbox_sessions (sandbox_id, org_id, template, region, worker_id, metadata, started_at)
    SELECT 'sb-' || n, org.id, 'base', 'use2', 'w-1', CASE WHEN n % 2 = 0 THEN jsonb_build_object('agent_id', 'agent-' || n) END,
        '2026-01-01Z'
    FROM generate_series(1, 60) AS n, orgs AS org;
    INSERT INTO sandbox_tags (org_id, sandbox_id, key, value)
    SELECT org.id, 'sb-' || n, 'team', 'team-' || n % 5 FROM generate_series(1, 40) AS n, orgs AS org;";

const WINDOWS: [[&str; 2]; 4] = [
    ["2026-01-05", "2026-02-04T11:22:33.444444Z"],
    ["2026-02-04T11:22:33.444444Z", "2026-03-01"],
    ["2026-01-01", "2026-03-31"],
    ["2026-02-01T00:00:00.000001Z", "2026-02-01T00:00:00.000002Z"],
];

async fn fleet() -> (Database, std::sync::Arc<dyn Store>) {
    let database = Database::create(Engine::Platform).await;
    for org in [ORG, OTHER] {
        database.add_org(org).await;
    }
    database.execute(FLEET).await;
    let store = store::open(database.url()).await.unwrap();
    (database, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_rule_equals_the_platforms_rollup_of_its_time_to_the_microsecond() {
    let (database, store) = fleet().await;
    let mut differ = 0;
    for window in WINDOWS {
        let clipped = ours(&*store, Rule::Clipped, window).await;
        assert_eq!(clipped, platform(&database, Rule::Clipped, window, "FALSE").await);
        let v1 = ours(&*store, Rule::V1, window).await;
        assert_eq!(v1, platform(&database, Rule::V1, window, "FALSE").await);
        assert!(!clipped.is_empty());
        differ += u32::from(clipped != v1);
    }
    assert!(differ >= 3, "the rules differ in {differ} windows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_platforms_rollup_lacks_only_sandboxes_of_subscribed_agents() {
    let (database, store) = fleet().await;
    let subscribe = |agent: &str, status: &str| {
        format!(
            "INSERT INTO agent_subscriptions
                 (org_id, agent_id, feature, stripe_customer_id, stripe_subscription_id, stripe_price_id, status)
             VALUES ('{ORG}', '{agent}', 'telegram', 'c', 's', 'p', '{status}');"
        )
    };
    let subscriptions =
        subscribe("agent-2", "active") + &subscribe("agent-8", "past_due") + &subscribe("agent-6", "canceled");
    database.execute(&subscriptions).await;
    let sum = |tiers: &[Tier]| tiers.iter().map(Tier::usage).sum::<Usage>();
    for window in WINDOWS {
        let [from, to] = window;
        let query = format!("groupBy=sandbox&filter[sandbox]=sb-2,sb-8&from={from}&to={to}");
        let query = UsageQuery::parse(&Parameters::decode(query), None).unwrap();
        let plan = query.plan(store.now().await.unwrap(), Rule::Clipped).unwrap();
        let (subscribed, _) = store.usage(ORG, &plan).await.unwrap();
        let theirs = sum(&platform(&database, Rule::Clipped, window, SUBSCRIBED).await);
        assert_eq!(theirs + subscribed.total, sum(&ours(&*store, Rule::Clipped, window).await));
    }
    let query = UsageQuery::parse(
        &Parameters::decode("groupBy=sandbox&filter[sandbox]=sb-2,sb-8&from=2026-01-01&to=2026-03-31"),
        None,
    );
    let plan = query.unwrap().plan(store.now().await.unwrap(), Rule::Clipped).unwrap();
    assert_ne!(store.usage(ORG, &plan).await.unwrap().0.total, Usage::default());
}
