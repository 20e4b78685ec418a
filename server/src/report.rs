//! Reports of the command line: the billing rollup and the demo's report, as text and as JSON.

use std::fmt::Write as _;

use opencomputer_usage_core::usage::accounting::Usage;
use opencomputer_usage_core::usage::grid::Grid;
use opencomputer_usage_core::usage::page::{Group, Page};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::store::Tier;

/// Renders the rollup as JSON, with GB-seconds and with the exact integers as decimal strings.
#[must_use]
pub fn rollup_json(org: Uuid, grid: &Grid, tiers: &[Tier]) -> Value {
    let mut tiers_json = Vec::new();
    for tier in tiers {
        let mut one = json!({ "memoryMb": tier.memory_mb, "diskMb": tier.disk_mb, "seconds": seconds(tier) });
        add_amounts(&mut one, tier.usage());
        tiers_json.push(one);
    }
    let mut rollup = json!({
        "org": org.to_string(),
        "from": grid.window.from(),
        "to": grid.window.to(),
        "asOf": grid.as_of,
        "accounting": grid.rule.as_str(),
        "tiers": tiers_json,
    });
    add_amounts(&mut rollup, total(tiers));
    rollup
}

fn add_amounts(object: &mut Value, usage: Usage) {
    if let Value::Object(members) = object {
        members.insert("memoryGbSeconds".to_owned(), usage.memory_gb_seconds().into());
        members.insert("diskOverageGbSeconds".to_owned(), usage.disk_overage_gb_seconds().into());
        members.insert("memoryMbMicros".to_owned(), usage.memory.to_string().into());
        members.insert("diskOverageMbMicros".to_owned(), usage.disk_overage.to_string().into());
    }
}

fn total(tiers: &[Tier]) -> Usage {
    tiers.iter().map(Tier::usage).sum()
}

fn seconds(tier: &Tier) -> f64 {
    tier.micros as f64 / 1e6
}

/// Renders the rollup as an aligned table.
#[must_use]
pub fn rollup_text(org: Uuid, grid: &Grid, tiers: &[Tier]) -> String {
    let head = ["memory MB", "disk MB", "seconds", "memory GB-s", "disk overage GB-s"].map(str::to_owned);
    let mut rows = vec![head.to_vec()];
    for tier in tiers {
        let mut row = vec![tier.memory_mb.to_string(), tier.disk_mb.to_string(), decimal(seconds(tier))];
        row.extend(amounts(tier.usage()));
        rows.push(row);
    }
    let mut sum = vec!["total".to_owned(), String::new(), String::new()];
    sum.extend(amounts(total(tiers)));
    rows.push(sum);
    let (from, to, as_of, rule) = (grid.window.from(), grid.window.to(), grid.as_of, grid.rule.as_str());
    format!("org {org}\nfrom {from} to {to}, as of {as_of}, accounting {rule}\n\n{}", table(&rows, 0))
}

fn amounts(usage: Usage) -> [String; 2] {
    [decimal(usage.memory_gb_seconds()), decimal(usage.disk_overage_gb_seconds())]
}

/// Renders a page of usage by tag with shares, and checks that it adds up to the rollup.
#[must_use]
pub fn usage_text(key: &str, page: &Page, grid: &Grid, tiers: &[Tier]) -> String {
    let head = [key, "sandboxes", "memory GB-s", "share", "disk overage GB-s", "share"].map(str::to_owned);
    let total = Group {
        key: vec![Some("total".to_owned())],
        usage: page.total,
        sandboxes: page.items.iter().chain([&page.untagged]).map(|group| group.sandboxes).sum(),
    };
    let untagged = Group { key: vec![Some("(untagged)".to_owned())], ..page.untagged.clone() };
    let mut rows = vec![head.to_vec()];
    rows.extend(page.items.iter().chain([&untagged, &total]).map(|group| shares(group, page.total)));
    let (from, to) = (grid.window.from(), grid.window.to());
    let mut text = format!("usage by {key}, from {from} to {to}\n\n{}\n", table(&rows, 1));
    let items: Usage = page.items.iter().map(|group| group.usage).sum();
    for (metric, of) in [("memory", memory as fn(Usage) -> u128), ("disk overage", disk_overage)] {
        let (rollup, total) = (of(self::total(tiers)), of(page.total));
        let (items, untagged) = (of(items), of(page.untagged.usage));
        let verdict = if rollup == total && total == items + untagged { "reconciles" } else { "DOES NOT RECONCILE" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{metric} {verdict}: rollup {rollup} = total {total} = items {items} + untagged {untagged} MB·µs"
        );
    }
    text
}

/// Renders the memory of each bucket and tag value, in whole GB-seconds with bars, or nothing without an interval.
#[must_use]
pub fn series_text(key: &str, page: &Page, grid: &Grid) -> String {
    let (Some(series), Some(buckets)) = (&page.series, &grid.buckets) else { return String::new() };
    let mut columns: Vec<_> = page.items.iter().map(Group::name).zip(&series.items).collect();
    columns.extend([("(untagged)", &series.untagged), ("total", &series.total)]);
    let mut rows = vec![vec!["from".to_owned()]];
    rows.extend(buckets.iter().map(|bucket| {
        let from = bucket.from.to_string();
        let day = from.split_once('T').map_or(&*from, |(day, _)| day);
        vec![if bucket.partial { format!("{day}*") } else { day.to_owned() }]
    }));
    for (name, amounts) in columns {
        let largest = amounts.iter().map(|usage| usage.memory).max().unwrap_or_default();
        let cells =
            amounts.iter().map(|usage| format!("{} {}", whole(usage.memory_gb_seconds()), bar(usage.memory, largest)));
        for (row, cell) in rows.iter_mut().zip([format!("{name}  ")].into_iter().chain(cells)) {
            row.push(cell);
        }
    }
    let interval = buckets.interval();
    format!(
        "memory in GB-seconds by {key}, interval {interval}\n\n{}\n* cut by the window. Bars compare the amounts of a column.\n",
        table(&rows, 1)
    )
}

/// Returns a bar of up to eight eighths of a line. Nothing has no bar.
fn bar(amount: u128, largest: u128) -> char {
    let eighths = amount.saturating_mul(8).checked_div(largest).unwrap_or_default();
    let bars = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bar = usize::try_from(eighths).ok().and_then(|eighths| bars.get(eighths.min(7)));
    if amount == 0 { ' ' } else { bar.copied().unwrap_or('█') }
}

const fn memory(usage: Usage) -> u128 {
    usage.memory
}

const fn disk_overage(usage: Usage) -> u128 {
    usage.disk_overage
}

fn shares(group: &Group, total: Usage) -> Vec<String> {
    let share = |part: f64, all: f64| {
        if all > 0.0 { format!("{:.1} %", part / all * 100.0) } else { "–".to_owned() }
    };
    let [memory, disk] = amounts(group.usage);
    vec![
        group.name().to_owned(),
        group.sandboxes.to_string(),
        memory,
        share(group.usage.memory_gb_seconds(), total.memory_gb_seconds()),
        disk,
        share(group.usage.disk_overage_gb_seconds(), total.disk_overage_gb_seconds()),
    ]
}

/// Formats a number with one decimal and separated thousands.
fn decimal(value: f64) -> String {
    let text = format!("{value:.1}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    format!("{}.{fraction}", grouped(whole))
}

/// Formats a number rounded half up, with separated thousands.
fn whole(value: f64) -> String {
    grouped(&format!("{:.0}", (value + 0.5).floor()))
}

fn grouped(whole: &str) -> String {
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Aligns columns: the first `texts` columns to the left, numbers to the right.
fn table(rows: &[Vec<String>], texts: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    rows.iter().fold(String::new(), |text, row| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(
            |(column, (cell, &width))| {
                if column < texts { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            },
        );
        text + cells.collect::<Vec<_>>().join("  ").trim_end() + "\n"
    })
}

#[cfg(test)]
mod tests {
    use opencomputer_usage_core::query::{Parameters, UsageQuery};
    use opencomputer_usage_core::usage::accounting::Rule;
    use opencomputer_usage_core::usage::page::PageSeries;

    use super::*;

    #[test]
    fn decimals_are_grouped_by_thousands() {
        assert_eq!(decimal(0.0), "0.0");
        assert_eq!(decimal(999.96), "1,000.0");
        assert_eq!(decimal(1_234_567.25), "1,234,567.2");
    }

    #[test]
    fn series_have_a_row_for_each_bucket_and_a_bar_for_each_amount() {
        let query = "groupBy=tag:team&interval=1d&from=2026-01-01T12:00:00Z&to=2026-01-04";
        let query = UsageQuery::parse(&Parameters::decode(query), None).unwrap();
        let plan = query.plan("2026-02-01".parse().unwrap(), Rule::default()).unwrap();
        let hours = |hours: [u128; 3]| hours.map(|hours| Usage::of(1024, 0, hours * 3_600_000_000)).to_vec();
        let group = |key: &str| Group { key: vec![Some(key.to_owned())], usage: Usage::default(), sandboxes: 1 };
        let series = PageSeries {
            total: hours([1, 8, 4]),
            untagged: hours([0, 0, 0]),
            items: vec![hours([1, 7, 0]), hours([0, 1, 4])],
        };
        let page = Page {
            total: Usage::default(),
            untagged: group(""),
            items: vec![group("ml"), group("search")],
            series: Some(series),
            next_cursor: None,
        };
        let wanted = "memory in GB-seconds by team, interval 1d

from             ml    search    (untagged)     total
2026-01-01*   3,600 ▂       0             0     3,600 ▂
2026-01-02   25,200 █   3,600 ▃           0    28,800 █
2026-01-03        0    14,400 █           0    14,400 ▅

* cut by the window. Bars compare the amounts of a column.
";
        assert_eq!(series_text("team", &page, &plan.grid), wanted);
        assert_eq!(series_text("team", &Page { series: None, ..page }, &plan.grid), "");
    }
}
