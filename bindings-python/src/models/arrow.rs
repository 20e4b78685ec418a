//! Builds Arrow record batches of items, which data frames read through the Arrow C stream interface.

use std::iter::repeat_n;
use std::sync::Arc;

use arrow_array::builder::{MapBuilder, StringBuilder};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, RecordBatch, RecordBatchIterator, StringArray, TimestampMicrosecondArray,
    UInt64Array,
};
use opencomputer_usage_core::usage::window::Timestamp;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyTuple};

use crate::models::field::{Field, Of};

/// A bucket of a page's grid.
pub struct Bucket {
    from: i64,
    to: i64,
    is_partial: bool,
}

impl Bucket {
    /// Reads a `UsageBucket`.
    pub fn read(bucket: &Bound<'_, PyAny>) -> PyResult<Self> {
        let at = |name| micros(bucket.getattr(name)?.extract()?);
        Ok(Self { from: at("from_")?, to: at("to")?, is_partial: bucket.getattr("partial")?.extract()? })
    }
}

/// Returns a batch as the capsule of an Arrow C stream.
pub fn stream(py: Python<'_>, batch: RecordBatch) -> PyResult<Bound<'_, PyCapsule>> {
    let schema = batch.schema();
    let reader = RecordBatchIterator::new([Ok(batch)], schema);
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), c"arrow_array_stream")
}

type Column = (String, ArrayRef, bool);
type Value<'py> = PyResult<Bound<'py, PyAny>>;

/// Returns the table of items, one row for each. With buckets, there is one row for each item and bucket.
///
/// It has one column for each field of their class, and one for each dimension of a group.
pub fn batch(
    fields: &[Field],
    dimensions: &[String],
    items: &Bound<'_, PyTuple>,
    buckets: &[Bucket],
) -> PyResult<RecordBatch> {
    let mut columns = Vec::new();
    let times = buckets.len().max(1);
    for field in fields {
        let rows = || items.iter().flat_map(|item| repeat_n(item, times));
        let values = || rows().map(|item| item.getattr(field.name));
        match field.kind.of {
            Of::Group => {
                for dimension in dimensions {
                    let value = |group: Value<'_>| group?.call_method1("get", (dimension,))?.extract();
                    let values = items.iter().map(|item| value(item.getattr(field.name)));
                    let values = values.collect::<PyResult<Vec<Option<String>>>>()?;
                    let array: StringArray = values.iter().flat_map(|value| repeat_n(value, times)).collect();
                    columns.push((dimension.clone(), Arc::new(array) as ArrayRef, true));
                }
            }
            Of::Number if !buckets.is_empty() => {
                if columns.iter().all(|(name, ..)| name != "bucket_from") {
                    columns.extend(bounds(buckets, items.len()));
                }
                let amounts: Float64Array = series(field.name, items, times)?.into();
                columns.push((field.name.to_owned(), Arc::new(amounts), false));
            }
            _ => columns.extend(column(field, values())?),
        }
    }
    RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Returns the columns of the buckets' bounds.
fn bounds(buckets: &[Bucket], items: usize) -> [Column; 3] {
    let all = || repeat_n(buckets, items).flatten();
    let times = |of: fn(&Bucket) -> i64| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from_iter_values(all().map(of)).with_timezone("UTC"))
    };
    let partial: BooleanArray = all().map(|bucket| Some(bucket.is_partial)).collect();
    [
        ("bucket_from".to_owned(), times(|bucket| bucket.from), false),
        ("bucket_to".to_owned(), times(|bucket| bucket.to), false),
        ("bucket_partial".to_owned(), Arc::new(partial), false),
    ]
}

/// Returns the amounts of all items by bucket.
fn series(name: &str, items: &Bound<'_, PyTuple>, buckets: usize) -> PyResult<Vec<f64>> {
    let mut amounts = Vec::with_capacity(items.len() * buckets);
    for item in items {
        let series = item.getattr("series")?;
        if series.is_none() {
            return Err(PyValueError::new_err("an item has no series"));
        }
        let numbers: Vec<f64> = series.getattr(name)?.extract()?;
        if numbers.len() != buckets {
            let message = format!("an item has {} numbers for {buckets} buckets", numbers.len());
            return Err(PyValueError::new_err(message));
        }
        amounts.extend(numbers);
    }
    Ok(amounts)
}

/// Returns the column of a field; `None` for a field of models.
fn column<'py>(field: &Field, values: impl Iterator<Item = Value<'py>>) -> PyResult<Option<Column>> {
    let array: ArrayRef = match field.kind.of {
        Of::Text => Arc::new(all::<String>(values)?.into_iter().collect::<StringArray>()),
        Of::Number => Arc::new(all::<f64>(values)?.into_iter().collect::<Float64Array>()),
        Of::Count => Arc::new(all::<u64>(values)?.into_iter().collect::<UInt64Array>()),
        Of::Flag => Arc::new(all::<bool>(values)?.into_iter().collect::<BooleanArray>()),
        Of::Time => {
            let times = all::<String>(values)?.into_iter().map(|time| time.as_deref().map(micros).transpose());
            let times = times.collect::<PyResult<TimestampMicrosecondArray>>()?;
            Arc::new(times.with_timezone("UTC"))
        }
        Of::Tags => tags(values)?,
        Of::Numbers | Of::Group | Of::One(_) | Of::Many(_) => return Ok(None),
    };
    Ok(Some((field.name.to_owned(), array, field.kind.nullable)))
}

fn all<'py, T: for<'a> FromPyObject<'a, 'py>>(values: impl Iterator<Item = Value<'py>>) -> PyResult<Vec<Option<T>>> {
    values.map(|value| value?.extract::<Option<T>>().map_err(Into::into)).collect()
}

fn tags<'py>(values: impl Iterator<Item = Value<'py>>) -> PyResult<ArrayRef> {
    let mut tags = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for value in values {
        let value = value?;
        if !value.is_none() {
            for (key, value) in value.cast::<PyDict>()?.iter() {
                tags.keys().append_value(key.extract::<&str>()?);
                tags.values().append_value(value.extract::<&str>()?);
            }
        }
        tags.append(!value.is_none()).map_err(|error| PyValueError::new_err(error.to_string()))?;
    }
    Ok(Arc::new(tags.finish()))
}

fn micros(text: &str) -> PyResult<i64> {
    let instant = Timestamp::read(text).ok_or_else(|| PyValueError::new_err(format!("`{text}` is not a timestamp")))?;
    Ok(instant.micros())
}
