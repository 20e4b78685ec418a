//! Decodes response bodies without the GIL and converts the results to Python objects.

use std::mem;

use bytes::Bytes;
use opencomputer_usage_core::client::{self, Answer, Host, JsonValue, Outcome, Reply, Value as _};
use opencomputer_usage_core::tags as core_tags;
use opencomputer_usage_core::usage::window::Timestamp;
use opencomputer_usage_core::wire;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use serde::de::DeserializeOwned;

use crate::decode::source::{self, Page, Source};
use crate::models::records::{
    Sandbox, SandboxTags, SandboxUsage, SandboxUsageTotals, TagKey, TagUsageItem, UntaggedUsage, UsagePoint,
    UsageTotals,
};
use crate::models::tags;

/// The result of a call. The items of a page of usage by sandbox stay encoded until they are read.
pub type Value = Outcome<SandboxesPage>;

/// A page of usage by sandbox, with the text of its items.
pub struct SandboxesPage(Page, Source);

impl Host for SandboxesPage {
    fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
        source::decode(body).ok_or_else(String::new)
    }

    fn decode_page(body: &mut Vec<u8>) -> Result<Self, String> {
        let text = Bytes::from(mem::take(body));
        let page = source::page(text.clone()).map(|(page, source)| Self(page, source));
        page.ok_or_else(|| {
            *body = text.into();
            String::new()
        })
    }

    fn page(&self) -> client::Page {
        (&self.0).into()
    }

    /// Describes the fault with the message of the core, which is the same in every language.
    fn explain(reply: Reply, body: &[u8], _: String) -> String {
        /// The core reads a body as a tree, which may take many times its size.
        const EXPLAINED: usize = 1 << 20;
        if body.len() > EXPLAINED {
            return "it is not valid JSON, or has the wrong type".to_owned();
        }
        let mut answer = Answer { body: body.to_vec(), ..Answer::default() };
        JsonValue::read(reply, &mut answer).err().unwrap_or_else(|| "it has the wrong type".to_owned())
    }
}

/// Reads a body that was not part of a call.
pub fn decode(reply: Reply, body: Bytes) -> Result<Value, String> {
    Value::read(reply, &mut Answer { body: body.into(), ..Answer::default() })
}

/// Converts Rust values to Python objects.
struct Make<'py>(Python<'py>);

type Made = PyResult<Py<PyAny>>;

impl Make<'_> {
    fn text(&self, text: &str) -> Made {
        text.into_py_any(self.0)
    }

    fn maybe(&self, text: Option<&str>) -> Made {
        text.into_py_any(self.0)
    }

    fn number(&self, number: f64) -> Made {
        number.into_py_any(self.0)
    }

    fn count(&self, count: u64) -> Made {
        count.into_py_any(self.0)
    }

    fn time(&self, at: Timestamp) -> Made {
        at.to_string().into_py_any(self.0)
    }

    fn tags(&self, tags: Option<&core_tags::Tags>) -> Made {
        tags.map(|tags| tags::of_map(self.0, tags)).transpose()?.into_py_any(self.0)
    }

    fn maybe_time(&self, at: Option<Timestamp>) -> Made {
        at.map(|at| at.to_string()).into_py_any(self.0)
    }

    fn amounts(&self, total: &wire::UsageTotals) -> Made {
        let [memory, disk] = [total.memory_gb_seconds, total.disk_overage_gb_seconds];
        UsageTotals::new(self.number(memory)?, self.number(disk)?).into_py_any(self.0)
    }

    fn untagged(&self, part: Option<&wire::UntaggedUsage>) -> Made {
        let Some(part) = part else {
            return Ok(self.0.None());
        };
        let [memory, disk] = [part.memory_gb_seconds, part.disk_overage_gb_seconds];
        UntaggedUsage::new(self.number(memory)?, self.number(disk)?, self.count(part.sandbox_count)?)
            .into_py_any(self.0)
    }

    fn totals(&self, totals: &wire::SandboxUsageTotals) -> PyResult<SandboxUsageTotals> {
        Ok(SandboxUsageTotals::new(
            self.number(totals.memory_allocated_gb_seconds)?,
            self.number(totals.memory_used_gb_seconds)?,
            self.number(totals.uptime_seconds)?,
            self.count(totals.memory_allocated_peak_mb)?,
            self.count(totals.memory_used_peak_mb)?,
        ))
    }

    fn point(&self, point: &wire::UsagePoint) -> PyResult<UsagePoint> {
        Ok(UsagePoint::new(
            self.time(point.ts)?,
            self.number(point.memory_allocated_gb_seconds)?,
            self.number(point.memory_used_gb_seconds)?,
            self.number(point.uptime_seconds)?,
            self.count(point.allocated_memory_mb)?,
            self.count(point.used_memory_mb_avg)?,
            self.count(point.used_memory_mb_peak)?,
        ))
    }

    fn points(&self, points: &[wire::UsagePoint]) -> Made {
        let points: Vec<_> = points.iter().map(|point| self.point(point)).collect::<PyResult<_>>()?;
        PyTuple::new(self.0, points)?.into_py_any(self.0)
    }

    fn tag_item(&self, item: &wire::TagUsageItem) -> PyResult<TagUsageItem> {
        Ok(TagUsageItem::new(
            self.text(&item.tag_key)?,
            self.text(&item.tag_value)?,
            self.number(item.memory_gb_seconds)?,
            self.number(item.disk_overage_gb_seconds)?,
            self.count(item.sandbox_count)?,
        ))
    }

    fn tag_key(&self, key: &wire::TagKey) -> PyResult<TagKey> {
        Ok(TagKey::new(self.text(&key.key)?, self.count(key.sandbox_count)?, self.count(key.value_count)?))
    }

    fn sandbox(&self, sandbox: &wire::Sandbox) -> PyResult<Sandbox> {
        Ok(Sandbox::new(
            self.text(&sandbox.sandbox_id)?,
            self.text(&sandbox.status)?,
            self.maybe(sandbox.region.as_deref())?,
            self.maybe(sandbox.worker_id.as_deref())?,
            self.maybe(sandbox.template.as_deref())?,
            self.time(sandbox.started_at)?,
            self.maybe(sandbox.alias.as_deref())?,
            self.tags(sandbox.tags.as_ref())?,
            self.maybe_time(sandbox.tags_last_updated_at.flatten())?,
        ))
    }

    fn sandbox_usage(&self, usage: &wire::SandboxUsage) -> PyResult<SandboxUsage> {
        Ok(SandboxUsage::new(
            self.text(&usage.sandbox_id)?,
            self.time(usage.from)?,
            self.time(usage.to)?,
            self.maybe_time(usage.as_of)?,
            self.number(usage.memory_gb_seconds)?,
            usage.disk_overage_gb_seconds.into_py_any(self.0)?,
            self.tags(usage.tags.as_ref())?,
            self.maybe_time(usage.tags_last_updated_at)?,
            self.maybe_time(usage.first_started_at)?,
            self.maybe_time(usage.last_ended_at)?,
            self.maybe(usage.alias.as_deref())?,
            self.maybe(usage.status.as_deref())?,
            usage.totals.as_ref().map(|totals| self.totals(totals)).transpose()?.into_py_any(self.0)?,
            usage.points.as_deref().map(|points| self.points(points)).transpose()?.into_py_any(self.0)?,
        ))
    }
}

/// Returns whether a result is a page, which others may follow.
pub const fn is_page(value: &Value) -> bool {
    matches!(value, Value::TagUsage(_) | Value::GroupUsage(_) | Value::SandboxUsagePage(_))
}

/// Converts a result to its model; a page to its fields, because the client chooses its class.
pub fn into_python(value: Value, py: Python<'_>) -> Made {
    let make = Make(py);
    match value {
        Value::TagUsage(page) => {
            let items: Vec<_> = page.items.iter().map(|item| make.tag_item(item)).collect::<PyResult<_>>()?;
            let fields = [
                make.time(page.from)?,
                make.time(page.to)?,
                make.maybe_time(page.as_of)?,
                make.text(&page.group_by)?,
                make.amounts(&page.total)?,
                make.untagged(page.untagged.as_ref())?,
                PyTuple::new(py, items)?.into_py_any(py)?,
                make.maybe(page.next_cursor.as_deref())?,
            ];
            PyTuple::new(py, fields)?.into_py_any(py)
        }
        Value::GroupUsage(_) => Err(PyNotImplementedError::new_err("several dimensions are not supported yet")),
        Value::SandboxUsagePage(SandboxesPage(page, source)) => {
            let fields = [
                make.time(page.from)?,
                make.time(page.to)?,
                make.maybe_time(page.as_of)?,
                make.maybe(page.group_by.as_deref())?,
                make.amounts(&page.total)?,
                source.into_py_any(py)?,
                make.maybe(page.next_cursor.as_deref())?,
            ];
            PyTuple::new(py, fields)?.into_py_any(py)
        }
        Value::SandboxUsage(usage) => make.sandbox_usage(&usage)?.into_py_any(py),
        Value::TagKeys(keys) => {
            let keys: Vec<_> = keys.iter().map(|key| make.tag_key(key)).collect::<PyResult<_>>()?;
            PyList::new(py, keys)?.into_py_any(py)
        }
        Value::Tags(state) => {
            let (tags, at) = (tags::of_map(py, &state.tags)?, make.maybe_time(state.tags_last_updated_at)?);
            SandboxTags::new(tags, at, make.maybe(state.etag.as_deref())?).into_py_any(py)
        }
        Value::Sandboxes(rows) => {
            let rows: Vec<_> = rows.iter().map(|row| make.sandbox(row)).collect::<PyResult<_>>()?;
            PyList::new(py, rows)?.into_py_any(py)
        }
        Value::Sandbox(sandbox) => make.sandbox(&sandbox)?.into_py_any(py),
    }
}
