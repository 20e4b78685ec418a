//! `GET /api/usage`, which is the same in every variant except for the dates.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::query::{self, refuse};
use crate::store::{DAY, Store};
use crate::{Call, Variant, go};

/// The parsed query.
struct Query {
    from: i64,
    to: i64,
    /// The key to group by; `None` for sandboxes.
    tag: Option<String>,
    /// The tag keys and the values that match. Without values, the key must be absent.
    filters: Vec<(String, Vec<String>)>,
    by_disk: bool,
    limit: usize,
    cursor: Option<Cursor>,
}

/// The position of a page. It does not contain the window or the order.
#[derive(Deserialize, Serialize)]
struct Cursor {
    v: f64,
    t: String,
}

/// A line of the report.
#[derive(Default)]
struct Row {
    memory: f64,
    disk: f64,
    sandboxes: BTreeSet<&'static str>,
}

impl Row {
    fn add(&mut self, (sandbox, memory, disk): (&'static str, f64, f64)) {
        self.memory += memory;
        self.disk += disk;
        self.sandboxes.insert(sandbox);
    }
}

pub(crate) fn answer(call: &Call, store: &Store) -> Answer {
    let query = match read(call) {
        Ok(query) => query,
        Err(refusal) => return refusal,
    };
    let (mut total, mut untagged, mut rows) = (Row::default(), Row::default(), BTreeMap::<String, Row>::new());
    for amount in store.amounts(query.from, query.to, call.now) {
        let tags = store.tags_of(amount.0).0;
        let matches = |key: &str, values: &[String]| match tags.get(key) {
            Some(value) => values.iter().any(|wanted| wanted == value),
            None => values.is_empty(),
        };
        if !query.filters.iter().all(|(key, values)| matches(key, values)) {
            continue;
        }
        total.add(amount);
        match query.tag.as_ref().map(|key| tags.get(key.as_str())) {
            None => rows.entry(amount.0.to_owned()).or_default().add(amount),
            Some(Some(value)) => rows.entry((*value).to_owned()).or_default().add(amount),
            Some(None) => untagged.add(amount),
        }
    }
    let (page, next) = page(rows, &query);
    let items: Vec<Value> = page.iter().map(|(name, row)| item(store, query.tag.as_deref(), name, row)).collect();
    let mut body = Map::new();
    body.insert("from".into(), go::seconds(query.from).into());
    body.insert("groupBy".into(), json!(call.parameters.first("groupBy")));
    body.insert("items".into(), items.into());
    body.insert("nextCursor".into(), next.into());
    body.insert("to".into(), go::seconds(query.to).into());
    let total = json!({ "diskOverageGbSeconds": total.disk, "memoryGbSeconds": total.memory });
    body.insert("total".into(), total);
    if query.tag.is_some() {
        let untagged = json!({
            "diskOverageGbSeconds": untagged.disk,
            "memoryGbSeconds": untagged.memory,
            "sandboxCount": untagged.sandboxes.len(),
        });
        body.insert("untagged".into(), untagged);
    }
    Answer::go(StatusCode::OK, &body)
}

/// Reads the parameters and ignores unknown ones.
fn read(call: &Call) -> Result<Query, Answer> {
    let parameters = &call.parameters;
    let (from, to) = query::window(parameters, call.now, 30 * DAY, call.variant != Variant::Original)?;
    let group_by = parameters.first("groupBy").ok_or_else(|| refuse("`groupBy` is required"))?;
    let by_disk = match parameters.first("sort") {
        None | Some("-memoryGbSeconds") => false,
        Some("-diskOverageGbSeconds") => true,
        Some(sort) => return Err(refuse(format!("unsupported sort {sort:?}"))),
    };
    let limit = match parameters.first("limit") {
        Some(limit) => query::limit(limit).ok_or_else(|| refuse("`limit` must be a positive integer"))?,
        None => 50,
    };
    let mut filters: Vec<(String, Vec<String>)> = Vec::new();
    for (name, dimension, values) in parameters.filters() {
        let once = "was passed more than once; use comma-separated values within one param";
        let Some(key) = dimension.strip_prefix("tag:") else {
            let message = format!("filter dimension {dimension:?} not supported (only tag:<key> in v1)");
            return Err(refuse(message));
        };
        if key.is_empty() {
            return Err(refuse("filter tag key is empty"));
        }
        if filters.iter().any(|(other, _)| other == key) {
            return Err(refuse(format!("filter {name:?} {once}")));
        }
        filters.push((key.to_owned(), query::values(values)));
    }
    let tag = match group_by.strip_prefix("tag:") {
        Some("") => return Err(refuse("groupBy tag:<key> requires a key")),
        None if group_by != "sandbox" => return Err(refuse(format!("unsupported groupBy {group_by:?}"))),
        tag => tag.map(str::to_owned),
    };
    if limit > 500 {
        return Err(refuse("limit must be <= 500"));
    }
    if to - from > 90 * DAY {
        return Err(refuse("query window must be <= 90 days"));
    }
    if to <= from {
        return Err(refuse("`to` must be after `from`"));
    }
    let cursor = parameters.first("cursor").map(cursor).transpose()?;
    Ok(Query { from, to, tag, filters, by_disk, limit, cursor })
}

fn cursor(text: &str) -> Result<Cursor, Answer> {
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|error| refuse(format!("invalid cursor: {error}")))?;
    serde_json::from_slice(&json).map_err(|error| refuse(format!("invalid cursor payload: {error}")))
}

/// Returns the lines of a page and the cursor of the next one.
fn page(rows: BTreeMap<String, Row>, query: &Query) -> (Vec<(String, Row)>, Option<String>) {
    let value = |row: &Row| if query.by_disk { row.disk } else { row.memory };
    let after = |name: &str, row: &Row| {
        query.cursor.as_ref().is_none_or(|cursor| {
            value(row) < cursor.v || (value(row).total_cmp(&cursor.v).is_eq() && *name > *cursor.t)
        })
    };
    let mut rows: Vec<(String, Row)> = rows.into_iter().filter(|(name, row)| after(name, row)).collect();
    // The sort is stable, and the names are in order.
    rows.sort_by(|(_, one), (_, other)| value(other).total_cmp(&value(one)));
    let more = rows.len() > query.limit;
    rows.truncate(query.limit);
    let last = rows.last().filter(|_| more).map(|(name, row)| Cursor { v: value(row), t: name.clone() });
    let next = last.map(|cursor| URL_SAFE_NO_PAD.encode(go::encode(&cursor)));
    (rows, next)
}

/// Returns a line as it is shown; its members are in the order of their names.
fn item(store: &Store, tag: Option<&str>, name: &str, row: &Row) -> Value {
    let (memory, disk) = (row.memory, row.disk);
    if let Some(key) = tag {
        return json!({
            "diskOverageGbSeconds": disk,
            "memoryGbSeconds": memory,
            "sandboxCount": row.sandboxes.len(),
            "tagKey": key,
            "tagValue": name,
        });
    }
    let session = store.session(name);
    let (tags, written) = store.tags_of(name);
    let mut item = Map::new();
    if let Some(alias) = session.and_then(|session| session.alias) {
        item.insert("alias".into(), alias.into());
    }
    item.insert("diskOverageGbSeconds".into(), disk.into());
    item.insert("memoryGbSeconds".into(), memory.into());
    item.insert("sandboxId".into(), name.into());
    if let Some(session) = session {
        item.insert("status".into(), session.status.into());
    }
    item.insert("tags".into(), json!(tags));
    item.insert("tagsLastUpdatedAt".into(), json!(written.map(go::seconds)));
    item.into()
}
