//! Converts Python's values to the core's.

use opencomputer_usage_core::host::value::{Raw, Text};
use opencomputer_usage_core::tags;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};

/// Options are at most maps of maps of lists. Deeper values are not converted.
const DEPTH: u8 = 4;

pub fn raw(value: &Bound<'_, PyAny>) -> PyResult<Raw> {
    read(value, DEPTH)
}

fn read(value: &Bound<'_, PyAny>, depth: u8) -> PyResult<Raw> {
    Ok(if let Ok(string) = value.cast::<PyString>() {
        Raw::Text(text(string)?)
    } else if value.is_none() {
        Raw::Null
    } else if let Ok(boolean) = value.cast::<PyBool>() {
        Raw::Bool(boolean.is_true())
    } else if let Some(number) = number(value)? {
        Raw::Number(number)
    } else if let Ok(list) = value.cast::<PyList>() {
        items(list.iter(), depth)?
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        items(tuple.iter(), depth)?
    } else if let Ok(dict) = value.cast::<PyDict>() {
        entries(&dict.items(), depth)?
    } else if let Ok(mapping) = value.cast::<PyMapping>() {
        entries(&mapping.items()?, depth)?
    } else {
        Raw::Other("an unsupported type")
    })
}

/// Returns a value as a number: a float, an int or an object with `__index__` or `__float__`, such as numpy's numbers
/// and `Decimal`. Booleans, including numpy's, are not numbers.
pub fn number(value: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    let py = value.py();
    if value.is_instance_of::<PyBool>() {
        return Ok(None);
    }
    if !value.is_instance_of::<PyFloat>() && !value.is_instance_of::<PyInt>() {
        let class = value.get_type();
        let has = |method| class.hasattr(method);
        if !has(intern!(py, "__float__"))? && !has(intern!(py, "__index__"))? || class.name()?.to_str()? == "bool" {
            return Ok(None);
        }
        // An array has these methods, too, but it is a number only if it has no dimension.
        return Ok(value.extract().ok());
    }
    // An integer that no float can represent is out of range, as infinity is.
    Ok(Some(value.extract().unwrap_or(f64::INFINITY)))
}

fn items<'py>(items: impl Iterator<Item = Bound<'py, PyAny>>, depth: u8) -> PyResult<Raw> {
    let shown = if depth == 0 { 0 } else { usize::MAX };
    items.take(shown).map(|item| read(&item, depth - 1)).collect::<PyResult<_>>().map(Raw::List)
}

/// Converts a map. Maps with non-string keys become `Raw::Other`.
fn entries(entries: &Bound<'_, PyList>, depth: u8) -> PyResult<Raw> {
    if depth == 0 {
        return Ok(Raw::Map(Vec::new()));
    }
    let mut map = Vec::with_capacity(entries.len());
    for entry in entries {
        let (key, value) = entry.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
        match key.cast::<PyString>() {
            Ok(key) => map.push((text(key)?, read(&value, depth - 1)?)),
            Err(_) => return Ok(Raw::Other("an unsupported type")),
        }
    }
    Ok(Raw::Map(map))
}

fn text(string: &Bound<'_, PyString>) -> PyResult<Text> {
    if let Ok(text) = string.to_str() {
        return Ok(Text::Unicode(text.to_owned()));
    }
    let encoded = string.call_method1("encode", ("utf-32-le", "surrogatepass"))?;
    let points = encoded.cast::<PyBytes>()?.as_bytes().as_chunks().0;
    Ok(Text::from_code_points(points.iter().map(|point| u32::from_le_bytes(*point))))
}

/// A Python string, borrowed as UTF-8.
struct Utf8<'py>(Bound<'py, PyString>);

impl AsRef<[u8]> for Utf8<'_> {
    fn as_ref(&self) -> &[u8] {
        // Invalid Unicode becomes U+0000, which neither a key nor a value may contain.
        self.0.to_str().unwrap_or("\0").as_bytes()
    }
}

/// Returns whether the tags of a dict are valid, without a copy or an allocation. If not, the core's `validate_tags`
/// reports the violations.
pub fn accepts(tags: &Bound<'_, PyDict>) -> bool {
    let mut whole = true;
    let pairs = tags.iter().map_while(|(key, value)| {
        let pair = key.cast_into().ok().map(Utf8).zip(value.cast_into().ok().map(Utf8));
        whole &= pair.is_some();
        pair
    });
    tags::accepts(pairs) && whole
}
