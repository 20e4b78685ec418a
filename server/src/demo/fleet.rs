//! The sandboxes of one tenant, as lines of an import.
//!
//! The fleet has patterns that a report should show: people work from Monday to Friday, the team `ml` doubles after 45
//! days, the customer `hooli` leaves after 60, and a large sandbox has been running for 20 days.

use opencomputer_usage_core::usage::window::Timestamp;
use serde_json::{Value, json};

use super::chance::Chance;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// The id of the sandbox that both tenants have.
pub const SHARED_ID: &str = "sb-shared";
/// The id of a large sandbox that somebody forgot to stop.
pub const RUNAWAY_ID: &str = "sb-runaway";
/// The microseconds of the fleet's history, up to today.
pub const HISTORY: i64 = 90 * DAY;

/// The team that doubles, the number of its sandboxes, and the day on which the second half of them start.
const DOUBLING_TEAM: &str = "ml";
const DOUBLING: u64 = 8;
const DOUBLES_AFTER: i64 = 45 * DAY;
/// The customer that leaves, and when.
const LEAVING_CUSTOMER: &str = "hooli";
const LEAVES_AFTER: i64 = 60 * DAY;
/// The age of the runaway sandbox.
const RUNAWAY_AGE: i64 = 20 * DAY;

const TEAMS: [&str; 8] = ["payments", "payments", "payments", "search", "search", "platform", "platform", "growth"];
const ENVIRONMENTS: [&str; 6] = ["prod", "prod", "prod", "staging", "dev", "dev"];
const CUSTOMERS: [&str; 8] =
    ["acme", "globex", "initech", "umbrella", LEAVING_CUSTOMER, "stark", "wayne", "Müller & Söhne, Köln"];
const TEMPLATES: [&str; 4] = ["base", "python", "node", "desktop"];
const REGIONS: [&str; 3] = ["use2", "euc1", "aps1"];
const MEMORY_MB: [u64; 8] = [1024, 2048, 2048, 4096, 4096, 4096, 8192, 16_384];
const DISK_MB: [u64; 6] = [10_240, 20_480, 20_480, 20_480, 40_960, 102_400];

/// How a sandbox is used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// A few hours, once.
    Job,
    /// Office hours from Monday to Friday; hibernated in between.
    Office,
    /// Around the clock.
    Service,
}

/// One sandbox between two instants.
struct Sandbox {
    id: String,
    habit: Habit,
    memory_mb: u64,
    disk_mb: u64,
    from: i64,
    to: i64,
    /// The time from which its memory is sampled every minute, if it is sampled.
    sampled_from: Option<i64>,
    /// The tags `team`, `env` and `customer`; `None` if it is untagged.
    tags: Option<[&'static str; 3]>,
}

/// A period at one memory size.
struct Period {
    start: i64,
    end: i64,
    memory_mb: u64,
}

/// Writes the lines.
pub(super) struct Fleet {
    today: i64,
    /// The second of each minute at which sandboxes are sampled. It differs between tenants, because a platform's table
    /// holds only one sample for a sandbox id and time.
    second: i64,
    chance: Chance,
    lines: Vec<Value>,
}

impl Fleet {
    pub(super) fn new(today: i64, seed: u8) -> Self {
        Self { today, second: i64::from(seed) * SECOND, chance: Chance(seed.into()), lines: Vec::new() }
    }

    /// Returns the lines of this many sandboxes.
    pub(super) fn lines(mut self, sandboxes: u64) -> String {
        for number in 0..sandboxes {
            let sandbox = self.sandbox(number);
            self.write(number, &sandbox);
        }
        self.lines.iter().fold(String::new(), |all, line| all + &line.to_string() + "\n")
    }

    /// Generates a sandbox.
    fn sandbox(&mut self, number: u64) -> Sandbox {
        let (today, chance) = (self.today, &mut self.chance);
        let start = today - HISTORY;
        let id = format!("sb-{:06x}", chance.next() >> 40);
        let [env, customer] = [&ENVIRONMENTS[..], &CUSTOMERS].map(|values| chance.pick(values));
        if (1..=DOUBLING).contains(&number) {
            let from = if number <= DOUBLING / 2 { start } else { start + DOUBLES_AFTER };
            let tags = Some([DOUBLING_TEAM, env, "acme"]);
            let (memory_mb, disk_mb) = (8192, 40_960);
            return Sandbox { id, habit: Habit::Office, memory_mb, disk_mb, from, to: today, sampled_from: None, tags };
        }
        if number == DOUBLING + 1 {
            let (id, from, sampled_from) = (RUNAWAY_ID.to_owned(), today - RUNAWAY_AGE, Some(today - DAY / 2));
            let (memory_mb, disk_mb, tags) = (32_768, 204_800, Some(["growth", "dev", "globex"]));
            return Sandbox { id, habit: Habit::Service, memory_mb, disk_mb, from, to: today, sampled_from, tags };
        }
        let (habit, length) = match chance.below(100) {
            _ if number == 0 => (Habit::Job, DAY),
            0..8 => (Habit::Service, chance.between(10 * DAY, 80 * DAY)),
            8..32 => (Habit::Office, chance.between(7 * DAY, 28 * DAY)),
            _ => (Habit::Job, DAY),
        };
        let mut from = start + chance.below(87) * DAY;
        let mut to = (from + length).min(today);
        if customer == LEAVING_CUSTOMER {
            from = start + (from - start) % (LEAVES_AFTER - 5 * DAY);
            to = (from + length).min(start + LEAVES_AFTER);
        }
        if habit == Habit::Job && is_weekend(from) {
            from += 2 * DAY;
        }
        let id = if number == 0 { SHARED_ID.to_owned() } else { id };
        let sampled_from = (habit == Habit::Job && number.is_multiple_of(15)).then_some(from);
        let tags = (number % 9 != 4).then(|| [chance.pick(&TEAMS), env, customer]);
        let memory_mb = if habit == Habit::Service { 2048 } else { chance.pick(&MEMORY_MB) };
        Sandbox { id, habit, memory_mb, disk_mb: chance.pick(&DISK_MB), from, to, sampled_from, tags }
    }

    fn write(&mut self, number: u64, sandbox: &Sandbox) {
        let Sandbox { id, habit, to, .. } = sandbox;
        let periods = self.periods(sandbox);
        let (Some(first), Some(last)) = (periods.first(), periods.last()) else { return };
        let status = match habit {
            Habit::Service if *to == self.today => "running",
            Habit::Office if *to == self.today => "hibernated",
            _ if self.chance.below(30) == 0 => "error",
            _ => "stopped",
        };
        for period in &periods {
            let open = status == "running" && period.end == last.end;
            self.lines.push(json!({
                "type": "scale", "sandboxId": id, "memoryMb": period.memory_mb, "cpuPercent": 100,
                "diskMb": sandbox.disk_mb, "startedAt": instant(period.start),
                "endedAt": (!open).then(|| instant(period.end)),
            }));
            if let Some(sampled_from) = sandbox.sampled_from {
                self.samples(id, period, sampled_from);
            }
        }
        let stopped = matches!(status, "stopped" | "error").then(|| instant(last.end));
        let chance = &mut self.chance;
        let alias = (chance.below(3) == 0).then(|| format!("agent-{number}"));
        self.lines.push(json!({
            "type": "session", "sandboxId": id, "template": chance.pick(&TEMPLATES), "region": chance.pick(&REGIONS),
            "workerId": format!("w-{}", chance.below(12)), "status": status, "startedAt": instant(first.start),
            "stoppedAt": stopped, "alias": alias,
        }));
        let Some([team, env, customer]) = sandbox.tags else { return };
        let mut tags = json!({ "team": team, "env": env, "customer": customer });
        if let (true, Value::Object(tags)) = (chance.below(4) == 0, &mut tags) {
            tags.insert("oc:plan".to_owned(), "enterprise".into());
            tags.remove("customer");
        }
        self.lines.push(json!({ "type": "tags", "sandboxId": id, "tags": tags }));
    }

    /// Returns the periods in which a sandbox has memory. They end by midnight today.
    fn periods(&mut self, sandbox: &Sandbox) -> Vec<Period> {
        let &Sandbox { habit, memory_mb, from, to, .. } = sandbox;
        let chance = &mut self.chance;
        let mut periods = Vec::new();
        match habit {
            Habit::Job => {
                let mut start = from + chance.between(6 * HOUR, 18 * HOUR);
                for _ in 0..chance.between(1, 4) {
                    let end = start + chance.between(HOUR / 4, 2 * HOUR);
                    periods.push(Period { start, end, memory_mb });
                    start = end + chance.below(HOUR);
                }
            }
            Habit::Office => {
                for day in (0..).map(|day| from + day * DAY).take_while(|day| *day < to) {
                    let start = day + 8 * HOUR + chance.below(2 * HOUR);
                    let end = start + chance.between(6 * HOUR, 10 * HOUR);
                    if !is_weekend(day) || chance.below(8) == 0 {
                        periods.push(Period { start, end, memory_mb });
                    }
                }
            }
            Habit::Service => {
                let mut start = from + chance.below(DAY);
                while start < to {
                    let end = (start + chance.between(5 * DAY, 20 * DAY)).min(to);
                    // A small service is scaled up and down.
                    let memory_mb = if memory_mb > 2048 { memory_mb } else { chance.pick(&[1024, 1024, 2048]) };
                    periods.push(Period { start, end, memory_mb });
                    start = end;
                }
            }
        }
        periods
    }

    /// Writes a sample for each minute of a period: between 30 and 90 % of the memory, a little more or less than in
    /// the minute before.
    fn samples(&mut self, id: &str, period: &Period, sampled_from: i64) {
        let mut percent = self.chance.between(40, 80);
        let mut at = period.start.max(sampled_from);
        at += (self.second - at).rem_euclid(MINUTE);
        while at < period.end {
            percent = (percent + self.chance.between(-4, 5)).clamp(30, 90);
            let used = (period.memory_mb << 20) / 100 * percent.unsigned_abs();
            self.lines.push(json!({
                "type": "sample", "sandboxId": id, "sampledAt": instant(at), "memoryBytes": used,
                "memoryMb": period.memory_mb,
            }));
            at += MINUTE;
        }
    }
}

fn is_weekend(micros: i64) -> bool {
    // 1970-01-01 was a Thursday.
    matches!((micros.div_euclid(DAY) + 4).rem_euclid(7), 0 | 6)
}

fn instant(micros: i64) -> Option<Timestamp> {
    Timestamp::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::demo::{OTHER_SANDBOXES, SANDBOXES};

    /// 2026-01-01.
    const TODAY: i64 = 1_767_225_600_000_000;

    fn lines(seed: u8, sandboxes: u64) -> Vec<Value> {
        let lines = Fleet::new(TODAY, seed).lines(sandboxes);
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn micros(value: &Value) -> i64 {
        value.as_str().map_or(TODAY, |text| text.parse::<Timestamp>().unwrap().micros())
    }

    /// Returns the allocated GB-hours of each day of the fleet's history, of sandboxes with this tag.
    fn daily(lines: &[Value], key: &str, value: &str) -> Vec<i64> {
        let tagged = |line: &&Value| line["type"] == "tags" && line["tags"][key] == value;
        let ids: Vec<_> = lines.iter().filter(tagged).map(|line| &line["sandboxId"]).collect();
        let mut days = vec![0; 90];
        for event in lines.iter().filter(|line| line["type"] == "scale" && ids.contains(&&line["sandboxId"])) {
            let (start, end) = (micros(&event["startedAt"]), micros(&event["endedAt"]));
            for (day, amount) in (0..).zip(&mut days) {
                let midnight = TODAY - HISTORY + day * DAY;
                let hours = (end.min(midnight + DAY) - start.max(midnight)).max(0) / HOUR;
                *amount += event["memoryMb"].as_i64().unwrap() / 1024 * hours;
            }
        }
        days
    }

    #[test]
    fn the_fleet_is_the_same_every_time() {
        assert_eq!(Fleet::new(TODAY, 1).lines(SANDBOXES), Fleet::new(TODAY, 1).lines(SANDBOXES));
        assert_ne!(Fleet::new(TODAY, 1).lines(5), Fleet::new(TODAY, 2).lines(5));
    }

    #[test]
    fn people_work_from_monday_to_friday() {
        let days = daily(&lines(1, SANDBOXES), "team", "payments");
        let (mut weekend, mut workday) = ((0, 0), (0, 0));
        for (day, amount) in (0..).zip(days) {
            let of = if is_weekend(TODAY - HISTORY + day * DAY) { &mut weekend } else { &mut workday };
            *of = (of.0 + amount, of.1 + 1);
        }
        assert!(workday.0 / workday.1 > weekend.0 / weekend.1 * 3 / 2, "{workday:?} {weekend:?}");
    }

    #[test]
    fn a_team_doubles_and_a_customer_leaves() {
        let lines = lines(1, SANDBOXES);
        let sum = |days: &[i64]| days.iter().sum::<i64>();
        let team = daily(&lines, "team", DOUBLING_TEAM);
        let (before, after) = (sum(&team[..45]), sum(&team[45..]));
        assert!(after > before * 9 / 5 && after < before * 11 / 5, "{before} {after}");
        let customer = daily(&lines, "customer", LEAVING_CUSTOMER);
        assert!(sum(&customer[50..60]) > 0 && sum(&customer[60..]) == 0, "{customer:?}");
    }

    #[test]
    fn events_are_valid_and_end_by_midnight() {
        for (seed, sandboxes) in [(1, SANDBOXES), (2, OTHER_SANDBOXES)] {
            let lines = lines(seed, sandboxes);
            for event in lines.iter().filter(|line| line["type"] == "scale") {
                let (start, end) = (micros(&event["startedAt"]), micros(&event["endedAt"]));
                assert!(TODAY - HISTORY <= start && start < end && end <= TODAY, "{event}");
            }
            let sessions = lines.iter().filter(|line| line["type"] == "session");
            let ids: Vec<_> = sessions.map(|session| session["sandboxId"].as_str().unwrap()).collect();
            assert_eq!(ids.len() as u64, sandboxes);
            assert!(ids.contains(&SHARED_ID) && ids.contains(&RUNAWAY_ID));
        }
    }

    #[test]
    fn sampled_sandboxes_use_between_30_and_90_percent() {
        let lines = lines(1, SANDBOXES);
        let mut sampled = BTreeMap::<_, Vec<u64>>::new();
        for sample in lines.iter().filter(|line| line["type"] == "sample") {
            let [used, allocated] = ["memoryBytes", "memoryMb"].map(|name| sample[name].as_u64().unwrap());
            sampled.entry(sample["sandboxId"].as_str().unwrap()).or_default().push(used * 100 / (allocated << 20));
        }
        assert!(sampled.len() > 10 && sampled[RUNAWAY_ID].len() == 720, "{}", sampled.len());
        for (id, percents) in sampled {
            assert!(percents.iter().all(|percent| (29..=90).contains(percent)), "{id}: {percents:?}");
            assert!(percents.iter().max() > percents.iter().min(), "{id}");
        }
    }
}
