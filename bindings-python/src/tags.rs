//! Tags as an immutable mapping, which reads what it is asked for and makes a dict only of the whole.

use pyo3::IntoPyObjectExt;
use pyo3::basic::CompareOp;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyFrozenSet, PyIterator, PyMapping, PyString, PyTuple};

use crate::source::{Range, Source, Writer};

/// Tags of a sandbox: a mapping that cannot be changed; `{**tags, "env": "prod"}` makes a dict that can.
#[pyclass(frozen, mapping, module = "opencomputer_usage")]
pub struct Tags {
    source: Py<Source>,
    range: Range,
    /// All of them, once they were asked for as a whole.
    whole: PyOnceLock<Py<PyDict>>,
}

impl Tags {
    pub const fn new(source: Py<Source>, range: Range) -> Self {
        Self { source, range, whole: PyOnceLock::new() }
    }

    /// A dict of all of them, which is nobody else's.
    pub fn dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.whole(py)?.copy()
    }

    fn whole<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        let make = || {
            let (dict, source) = (PyDict::new(py), self.source.get());
            for &(key, value) in source.tags(self.range) {
                dict.set_item(source.string(py, key)?, source.string(py, value)?)?;
            }
            Ok::<_, PyErr>(dict.unbind())
        };
        self.whole.get_or_try_init(py, make).map(|dict| dict.bind(py))
    }

    fn find<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(whole) = self.whole.get(py) {
            return whole.bind(py).get_item(key);
        }
        let Some(key) = key.cast::<PyString>().ok().and_then(|key| key.to_str().ok()) else {
            return Ok(None);
        };
        let source = self.source.get();
        // Of a key that stands there twice, the last one counts.
        let tag = source.tags(self.range).iter().rev().find(|(known, _)| source.bytes(*known) == key.as_bytes());
        tag.map(|&(_, value)| source.string(py, value).map(Bound::into_any)).transpose()
    }
}

/// A value for a field of a model: tags that came as a dict are changed no more.
pub fn frozen(py: Python<'_>, value: Py<PyAny>) -> PyResult<Py<PyAny>> {
    let dict = value.bind(py);
    if dict.is_instance_of::<PyDict>() { Tags::of(dict)?.into_py_any(py) } else { Ok(value) }
}

/// Writes the tags of any mapping of strings.
pub fn write(tags: &Bound<'_, PyAny>, writer: &mut Writer) -> PyResult<Range> {
    let mut pairs = Vec::new();
    for pair in tags.cast::<PyMapping>()?.items()? {
        pairs.push(pair.extract::<(String, String)>()?);
    }
    writer.tags(pairs.iter().map(|(key, value)| (&**key, &**value)))
}

#[pymethods]
impl Tags {
    #[new]
    #[pyo3(signature = (tags, /))]
    fn of(tags: &Bound<'_, PyAny>) -> PyResult<Self> {
        let (source, range) = Source::written(|writer| write(tags, writer))?;
        Ok(Self::new(Py::new(tags.py(), source)?, range))
    }

    fn __getitem__<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.find(py, key)?.ok_or_else(|| PyKeyError::new_err(key.clone().unbind()))
    }

    /// The value of a key, or a default.
    #[pyo3(signature = (key, default = None, /))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.find(py, key)?.or(default))
    }

    fn __contains__(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let key = key.clone().unbind().into_bound(py);
        Ok(self.find(py, &key)?.is_some())
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.whole(py).map(PyDictMethods::len)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.whole(py)?.try_iter()
    }

    /// The keys.
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.whole(py)?.call_method0("keys")
    }

    /// The values.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.whole(py)?.call_method0("values")
    }

    /// The keys with their values.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.whole(py)?.call_method0("items")
    }

    fn __richcmp__<'py>(
        &self,
        py: Python<'py>,
        other: &Bound<'py, PyAny>,
        op: CompareOp,
    ) -> PyResult<Bound<'py, PyAny>> {
        let other = match other.cast::<Self>() {
            Ok(tags) => tags.get().whole(py)?.as_any().clone(),
            Err(_) => other.clone(),
        };
        match op {
            CompareOp::Eq | CompareOp::Ne => self.whole(py)?.rich_compare(other, op),
            _ => Ok(py.NotImplemented().into_bound(py)),
        }
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        PyFrozenSet::new(py, self.whole(py)?.items())?.hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Tags({})", self.whole(py)?.repr()?))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let own = py.get_type::<Self>().into_bound_py_any(py)?;
        Ok((own, PyTuple::new(py, [self.dict(py)?])?))
    }
}

/// Makes tags of what the core decoded.
pub fn of_map(py: Python<'_>, tags: &std::collections::BTreeMap<String, String>) -> PyResult<Py<PyAny>> {
    let pairs = tags.iter().map(|(key, value)| (&**key, &**value));
    let (source, range) = Source::written(|writer| writer.tags(pairs))?;
    Tags::new(Py::new(py, source)?, range).into_py_any(py)
}
