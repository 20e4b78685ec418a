//! Builds Arrow record batches of items, which data frames read through the Arrow C stream interface.

use std::sync::Arc;

use arrow_array::builder::{MapBuilder, StringBuilder};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{
    ArrayRef, Float64Array, RecordBatch, RecordBatchIterator, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use opencomputer_usage_core::usage::window::Timestamp;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::models::records::TagUsageItem;
use crate::models::sandbox_item::SandboxUsageItem;

/// Returns a batch as the capsule of an Arrow C stream.
pub fn stream(py: Python<'_>, batch: RecordBatch) -> PyResult<Bound<'_, PyCapsule>> {
    let schema = batch.schema();
    let reader = RecordBatchIterator::new([Ok(batch)], schema);
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), c"arrow_array_stream")
}

type Columns = Vec<(&'static str, ArrayRef, bool)>;

fn batch(columns: Columns) -> PyResult<RecordBatch> {
    RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Returns the table of usage by tag.
pub fn tags<'py>(items: impl Iterator<Item = Bound<'py, PyAny>>) -> PyResult<RecordBatch> {
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    let (mut memory, mut disk, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        let (item, py) = (item.cast::<TagUsageItem>()?.get(), item.py());
        keys.push(item.tag_key.extract::<String>(py)?);
        values.push(item.tag_value.extract::<String>(py)?);
        memory.push(item.memory_gb_seconds.extract::<f64>(py)?);
        disk.push(item.disk_overage_gb_seconds.extract::<f64>(py)?);
        counts.push(item.sandbox_count.extract::<u64>(py)?);
    }
    batch(vec![
        ("tag_key", Arc::new(StringArray::from_iter_values(keys)), false),
        ("tag_value", Arc::new(StringArray::from_iter_values(values)), false),
        ("memory_gb_seconds", Arc::new(Float64Array::from(memory)), false),
        ("disk_overage_gb_seconds", Arc::new(Float64Array::from(disk)), false),
        ("sandbox_count", Arc::new(UInt64Array::from(counts)), false),
    ])
}

/// Returns the table of usage by sandbox.
pub fn sandboxes<'py>(items: impl Iterator<Item = Bound<'py, PyAny>>) -> PyResult<RecordBatch> {
    let items: Vec<_> = items.map(|item| Ok(item.cast_into::<SandboxUsageItem>()?)).collect::<PyResult<_>>()?;
    let rows: Vec<_> =
        items.iter().map(|item| Ok((item.get().source(), item.get().item()?))).collect::<PyResult<_>>()?;
    let mut tags = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    let mut times = Vec::with_capacity(rows.len());
    for (source, item) in &rows {
        for &(key, value) in item.tags.map(|tags| source.tags(tags)).unwrap_or_default() {
            tags.keys().append_value(source.text(key));
            tags.values().append_value(source.text(value));
        }
        tags.append(item.tags.is_some()).map_err(|error| PyValueError::new_err(error.to_string()))?;
        times.push(item.tags_last_updated_at.map(|at| micros(source.text(at.0))).transpose()?);
    }
    let alias: StringArray = rows.iter().map(|(source, item)| item.alias.map(|alias| source.text(alias))).collect();
    let status: StringArray = rows.iter().map(|(source, item)| item.status.map(|status| source.text(status))).collect();
    let ids = StringArray::from_iter_values(rows.iter().map(|(source, item)| source.text(item.sandbox_id)));
    let memory = Float64Array::from_iter_values(rows.iter().map(|(_, item)| item.memory_gb_seconds));
    let disk = Float64Array::from_iter_values(rows.iter().map(|(_, item)| item.disk_overage_gb_seconds));
    batch(vec![
        ("sandbox_id", Arc::new(ids), false),
        ("memory_gb_seconds", Arc::new(memory), false),
        ("disk_overage_gb_seconds", Arc::new(disk), false),
        ("tags", Arc::new(tags.finish()), true),
        ("tags_last_updated_at", Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")), true),
        ("alias", Arc::new(alias), true),
        ("status", Arc::new(status), true),
    ])
}

fn micros(text: &str) -> PyResult<i64> {
    let instant = Timestamp::read(text).ok_or_else(|| PyValueError::new_err(format!("`{text}` is not a timestamp")))?;
    Ok(instant.micros())
}
