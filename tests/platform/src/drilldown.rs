//! `GET /api/sandboxes/{id}/usage`: two sums at first, one point per minute since May 2026.

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, json};

use crate::answer::Answer;
use crate::query::{self, refuse};
use crate::store::{DAY, HOUR, MINUTE, SECOND, Store};
use crate::tags::unless_known;
use crate::{Call, Variant, go};

const GIBIBYTE: f64 = 1_073_741_824.0;

/// A minute.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Point {
    ts: String,
    memory_allocated_gb_seconds: f64,
    memory_used_gb_seconds: f64,
    uptime_seconds: i64,
    allocated_memory_mb: i64,
    used_memory_mb_avg: i64,
    used_memory_mb_peak: i64,
}

/// The sums of the points.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Totals {
    memory_allocated_gb_seconds: f64,
    memory_used_gb_seconds: f64,
    uptime_seconds: i64,
    memory_allocated_peak_mb: i64,
    memory_used_peak_mb: i64,
}

pub(crate) fn answer(call: &Call, store: &Store, id: &str) -> Answer {
    unless_known(call, store, id, || match call.variant {
        Variant::Original => sums(call, store, id),
        _ => points(call, store, id),
    })
}

fn sums(call: &Call, store: &Store, id: &str) -> Answer {
    let (from, to) = match query::window(&call.parameters, call.now, 30 * DAY, false) {
        Ok(window) => window,
        Err(refusal) => return refusal,
    };
    if let Some(refusal) = outside(from, to, 90) {
        return refusal;
    }
    let amounts = store.amounts(from, to, call.now).filter(|(sandbox, ..)| *sandbox == id);
    let (memory, disk) = amounts.fold((0.0, 0.0), |sum, (_, memory, disk)| (sum.0 + memory, sum.1 + disk));
    let session = store.session(id);
    let met = session.filter(|met| met.started < to && met.stopped.is_none_or(|stopped| stopped > from));
    let (tags, written) = store.tags_of(id);
    let mut body = Map::new();
    if let Some(alias) = session.and_then(|session| session.alias) {
        body.insert("alias".into(), alias.into());
    }
    body.insert("diskOverageGbSeconds".into(), disk.into());
    body.insert("firstStartedAt".into(), json!(met.map(|met| go::seconds(met.started.max(from)))));
    body.insert("from".into(), go::seconds(from).into());
    let ended = met.and_then(|met| met.stopped).map(|stopped| go::seconds(stopped.min(to)));
    body.insert("lastEndedAt".into(), json!(ended));
    body.insert("memoryGbSeconds".into(), memory.into());
    body.insert("sandboxId".into(), id.into());
    if let Some(session) = session {
        body.insert("status".into(), session.status.into());
    }
    body.insert("tags".into(), json!(tags));
    body.insert("tagsLastUpdatedAt".into(), json!(written.map(go::seconds)));
    body.insert("to".into(), go::seconds(to).into());
    Answer::go(StatusCode::OK, &body)
}

fn points(call: &Call, store: &Store, id: &str) -> Answer {
    let (from, to) = match query::window(&call.parameters, call.now, HOUR, true) {
        Ok(window) => window,
        Err(refusal) => return refusal,
    };
    if let Some(refusal) = outside(from, to, 30) {
        return refusal;
    }
    let mut totals = Totals::default();
    let mut points = Vec::new();
    let mut minute = from - from.rem_euclid(MINUTE);
    while minute < to {
        points.push(point(call, store, id, minute, (from, to), &mut totals));
        minute += MINUTE;
    }
    let mut body = Map::new();
    if let Some(alias) = store.session(id).and_then(|session| session.alias) {
        body.insert("alias".into(), alias.into());
    }
    body.insert("from".into(), go::seconds(from).into());
    body.insert("points".into(), json!(points));
    body.insert("sandboxId".into(), id.into());
    body.insert("to".into(), go::seconds(to).into());
    body.insert("totals".into(), json!(totals));
    Answer::go(StatusCode::OK, &body)
}

/// Measures one minute and adds it to the totals.
fn point(call: &Call, store: &Store, id: &str, minute: i64, (from, to): (i64, i64), totals: &mut Totals) -> Point {
    let (mut allocated, mut weighted, mut uptime) = (0.0, 0.0, 0.0);
    for event in store.events.iter().filter(|event| event.sandbox == id) {
        let end = event.ended.unwrap_or(call.now.min(to)).min(minute + MINUTE).min(to);
        let seconds = (end - event.started.max(minute).max(from)).max(0) as f64 / SECOND as f64;
        allocated += event.memory_mb as f64 / 1024.0 * seconds;
        weighted += event.memory_mb as f64 * seconds / 60.0;
        uptime += seconds;
        if seconds > 0.0 {
            totals.memory_allocated_peak_mb = totals.memory_allocated_peak_mb.max(event.memory_mb);
        }
    }
    let (first, end) = (minute.max(from), to.min(minute + MINUTE));
    let taken = store.samples.iter().filter(|taken| taken.sandbox == id && (first..end).contains(&taken.at));
    let bytes: Vec<i64> = taken.map(|taken| taken.bytes).collect();
    let mean = bytes.iter().sum::<i64>() / i64::try_from(bytes.len()).unwrap_or(1).max(1);
    let point = Point {
        ts: go::nanoseconds(minute, call.variant.hours_west()),
        memory_allocated_gb_seconds: allocated,
        memory_used_gb_seconds: mean as f64 / GIBIBYTE * 60.0,
        uptime_seconds: rounded(uptime),
        allocated_memory_mb: rounded(weighted),
        used_memory_mb_avg: mean >> 20,
        used_memory_mb_peak: bytes.iter().max().unwrap_or(&0) >> 20,
    };
    totals.memory_allocated_gb_seconds += point.memory_allocated_gb_seconds;
    totals.memory_used_gb_seconds += point.memory_used_gb_seconds;
    totals.uptime_seconds += point.uptime_seconds;
    totals.memory_used_peak_mb = totals.memory_used_peak_mb.max(point.used_memory_mb_peak);
    point
}

#[expect(clippy::cast_possible_truncation, reason = "seconds of a minute and sizes in MB are small")]
fn rounded(value: f64) -> i64 {
    value.round_ties_even() as i64
}

fn outside(from: i64, to: i64, days: i64) -> Option<Answer> {
    if to <= from {
        return Some(refuse("`to` must be after `from`"));
    }
    (to - from > days * DAY).then(|| refuse(format!("query window must be <= {days} days")))
}
