//! An item of a page by sandbox. Most of its fields become Python objects when they are read.

use std::sync::OnceLock;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyString};

use crate::decode::source::{Item, Moment, Source};
use crate::models::field::{Field, NUMBER, TAGS, TEXT};
use crate::models::model::{Datetime, Model, checked, datetime, model_methods, none};
use crate::models::tags;

/// Usage of one sandbox, on a page.
#[pyclass(frozen, mapping, weakref, module = "opencomputer_usage")]
pub struct SandboxUsageItem {
    /// The id of the sandbox.
    #[pyo3(get)]
    sandbox_id: Py<PyString>,
    /// Memory, GB-seconds.
    #[pyo3(get)]
    memory_gb_seconds: Py<PyFloat>,
    source: Py<Source>,
    index: usize,
    /// Python's own lock would be released and taken once for each item.
    tags: OnceLock<Py<PyAny>>,
}

impl SandboxUsageItem {
    /// Returns the item at an index of a page.
    pub fn new(py: Python<'_>, source: &Py<Source>, index: usize) -> PyResult<Self> {
        let item = source.get().item(index)?;
        Ok(Self {
            sandbox_id: source.get().string(py, item.sandbox_id)?.unbind(),
            memory_gb_seconds: PyFloat::new(py, item.memory_gb_seconds).unbind(),
            source: source.clone_ref(py),
            index,
            tags: OnceLock::new(),
        })
    }

    pub fn item(&self) -> PyResult<&Item> {
        self.source.get().item(self.index)
    }

    pub fn source(&self) -> &Source {
        self.source.get()
    }
}

impl Model for SandboxUsageItem {
    const FIELDS: &'static [Field] = &[
        Field::new("sandbox_id", "sandboxId", TEXT),
        Field::new("memory_gb_seconds", "memoryGbSeconds", NUMBER),
        Field::new("disk_overage_gb_seconds", "diskOverageGbSeconds", NUMBER),
        Field::new("tags", "tags", TAGS.maybe()),
        Field::new("tags_last_updated_at", "tagsLastUpdatedAt", TEXT.maybe()),
        Field::optional("alias", "alias", TEXT.maybe()),
        Field::optional("status", "status", TEXT.maybe()),
    ];

    fn values<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        Ok(vec![
            self.sandbox_id.bind(py).clone().into_any(),
            self.memory_gb_seconds.bind(py).clone().into_any(),
            self.disk_overage_gb_seconds()?.into_bound_py_any(py)?,
            self.tags(py)?.into_bound_py_any(py)?,
            self.tags_last_updated_at(py)?.into_bound_py_any(py)?,
            self.alias(py)?.into_bound_py_any(py)?,
            self.status(py)?.into_bound_py_any(py)?,
        ])
    }
}

type Text<'py> = PyResult<Option<Bound<'py, PyString>>>;

model_methods! {
    impl SandboxUsageItem {
        #[new]
        #[pyo3(signature = (
            sandbox_id, memory_gb_seconds, disk_overage_gb_seconds, tags, tags_last_updated_at, alias = none(), status = none()
        ))]
        fn of(
            py: Python<'_>,
            sandbox_id: Py<PyAny>,
            memory_gb_seconds: Py<PyAny>,
            disk_overage_gb_seconds: Py<PyAny>,
            tags: Py<PyAny>,
            tags_last_updated_at: Py<PyAny>,
            alias: Py<PyAny>,
            status: Py<PyAny>,
        ) -> PyResult<Self> {
            let mut fields = Self::FIELDS.iter();
            let mut check = |value| checked(py, &mut fields, value).map(|value| value.into_bound(py));
            let sandbox_id = check(sandbox_id)?;
            let (memory, disk) = (check(memory_gb_seconds)?, check(disk_overage_gb_seconds)?);
            let (tags, at) = (check(tags)?, check(tags_last_updated_at)?);
            let (alias, status) = (check(alias)?, check(status)?);
            let (source, item) = Source::written(|writer| {
                let mut text = |text: Bound<'_, PyAny>| {
                    let text: Option<String> = text.extract()?;
                    text.map(|text| writer.string(&text)).transpose()
                };
                let (id, alias, status, at) = (text(sandbox_id)?, text(alias)?, text(status)?, text(at)?);
                let tags = if tags.is_none() { None } else { Some(tags::write(&tags, writer)?) };
                Ok(Item {
                    sandbox_id: id.ok_or_else(|| PyTypeError::new_err("sandbox_id must be a str"))?,
                    alias,
                    status,
                    tags,
                    tags_last_updated_at: at.map(Moment),
                    memory_gb_seconds: memory.extract()?,
                    disk_overage_gb_seconds: disk.extract()?,
                    series: None,
                })
            })?;
            Self::new(py, &Py::new(py, source.with_item(item))?, 0)
        }

        /// Disk beyond the included amount, GB-seconds.
        #[getter]
        fn disk_overage_gb_seconds(&self) -> PyResult<f64> {
            self.item().map(|item| item.disk_overage_gb_seconds)
        }

        /// All tags, including system tags (`oc:`); None if the server does not send them.
        #[getter]
        fn tags(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
            if let Some(tags) = self.tags.get() {
                return Ok(tags.clone_ref(py));
            }
            let made = match self.item()?.tags {
                Some(tags) => tags::of_range(py, self.source.get(), tags)?,
                None => py.None(),
            };
            Ok(self.tags.get_or_init(|| made).clone_ref(py))
        }

        /// The tags that you can write back: all tags except system tags.
        #[getter]
        fn user_tags(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
            tags::of_user(self.tags(py)?.bind(py))
        }

        /// The last time that a tag value changed; a removed tag leaves no trace.
        #[getter]
        fn tags_last_updated_at<'py>(&self, py: Python<'py>) -> Text<'py> {
            self.item()?.tags_last_updated_at.map(|at| self.source.get().string(py, at.0)).transpose()
        }

        /// `tags_last_updated_at` as an aware datetime.
        #[getter]
        fn tags_last_updated_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> {
            datetime(&self.tags_last_updated_at(py)?.into_bound_py_any(py)?)
        }

        /// The user's name for it, from the latest session.
        #[getter]
        fn alias<'py>(&self, py: Python<'py>) -> Text<'py> {
            self.item()?.alias.map(|alias| self.source.get().string(py, alias)).transpose()
        }

        /// `running`, `hibernated`, `stopped`, `error` or another of the platform's, from the latest session.
        #[getter]
        fn status<'py>(&self, py: Python<'py>) -> Text<'py> {
            self.item()?.status.map(|status| self.source.get().shared_string(py, status)).transpose()
        }
    }
}
