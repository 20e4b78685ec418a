//! Pages of usage, and the items of a page by sandbox, which are made when they are read.

use bytes::Bytes;
use opencomputer_usage_core::client::Reply;
use pyo3::IntoPyObjectExt;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCapsule, PyFloat, PyString, PyTuple, PyType};

use crate::answer::Value;
use crate::errors::undecodable;
use crate::model::{Datetime, Field, Model, datetime, model_methods, none};
use crate::source::{Item, Moment, Source};
use crate::table;
use crate::tags::{self, Tags};

/// Usage of one sandbox, on a page.
#[pyclass(frozen, module = "opencomputer_usage")]
pub struct SandboxItem {
    /// The sandbox.
    #[pyo3(get)]
    sandbox_id: Py<PyString>,
    /// Memory, GB-seconds.
    #[pyo3(get)]
    memory_gb_seconds: Py<PyFloat>,
    source: Py<Source>,
    index: usize,
}

impl SandboxItem {
    fn new(py: Python<'_>, source: &Py<Source>, index: usize) -> PyResult<Self> {
        let item = source.get().item(index)?;
        Ok(Self {
            sandbox_id: source.get().string(py, item.sandbox_id)?.unbind(),
            memory_gb_seconds: PyFloat::new(py, item.memory_gb_seconds).unbind(),
            source: source.clone_ref(py),
            index,
        })
    }

    pub fn item(&self) -> PyResult<&Item> {
        self.source.get().item(self.index)
    }

    pub fn source(&self) -> &Source {
        self.source.get()
    }
}

impl Model for SandboxItem {
    const FIELDS: &'static [Field] = &[
        Field::new("sandbox_id", "sandboxId"),
        Field::new("memory_gb_seconds", "memoryGbSeconds"),
        Field::new("disk_overage_gb_seconds", "diskOverageGbSeconds"),
        Field::new("tags", "tags"),
        Field::new("tags_last_updated_at", "tagsLastUpdatedAt"),
        Field::optional("alias", "alias"),
        Field::optional("status", "status"),
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
    impl SandboxItem {
        #[new]
        #[pyo3(signature = (
            sandbox_id, memory_gb_seconds, disk_overage_gb_seconds, tags, tags_last_updated_at, alias = None, status = None
        ))]
        fn of(
            sandbox_id: &Bound<'_, PyString>,
            memory_gb_seconds: f64,
            disk_overage_gb_seconds: f64,
            tags: Option<&Bound<'_, PyAny>>,
            tags_last_updated_at: Option<&str>,
            alias: Option<&str>,
            status: Option<&str>,
        ) -> PyResult<Self> {
            let (source, item) = Source::written(|writer| {
                Ok(Item {
                    sandbox_id: writer.string(sandbox_id.to_str()?)?,
                    alias: alias.map(|alias| writer.string(alias)).transpose()?,
                    status: status.map(|status| writer.string(status)).transpose()?,
                    tags: tags.map(|tags| tags::write(tags, writer)).transpose()?,
                    tags_last_updated_at: tags_last_updated_at.map(|at| writer.string(at).map(Moment)).transpose()?,
                    memory_gb_seconds,
                    disk_overage_gb_seconds,
                })
            })?;
            let py = sandbox_id.py();
            Self::new(py, &Py::new(py, source.with_item(item))?, 0)
        }

        /// Disk above the included 20 GB, GB-seconds.
        #[getter]
        fn disk_overage_gb_seconds(&self) -> PyResult<f64> {
            self.item().map(|item| item.disk_overage_gb_seconds)
        }

        /// All tags, system tags among them; None where the server does not say.
        #[getter]
        fn tags(&self, py: Python<'_>) -> PyResult<Option<Tags>> {
            Ok(self.item()?.tags.map(|tags| Tags::new(self.source.clone_ref(py), tags)))
        }

        /// When a tag value last changed; a removed tag leaves no trace.
        #[getter]
        fn tags_last_updated_at<'py>(&self, py: Python<'py>) -> Text<'py> {
            self.item()?.tags_last_updated_at.map(|at| self.source.get().string(py, at.0)).transpose()
        }

        /// `tags_last_updated_at` as an aware datetime.
        #[getter]
        fn tags_last_updated_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> {
            datetime(&self.tags_last_updated_at(py)?.into_bound_py_any(py)?)
        }

        /// Name that the user gave.
        #[getter]
        fn alias<'py>(&self, py: Python<'py>) -> Text<'py> {
            self.item()?.alias.map(|alias| self.source.get().string(py, alias)).transpose()
        }

        /// `running`, `hibernated`, `stopped`, `error` or another of the platform's.
        #[getter]
        fn status<'py>(&self, py: Python<'py>) -> Text<'py> {
            self.item()?.status.map(|status| self.source.get().string(py, status)).transpose()
        }
    }
}

/// The items of a page: at hand, or where they can be made from.
enum Items {
    Made(Py<PyTuple>),
    Held { source: Py<Source>, made: PyOnceLock<Py<PyTuple>> },
}

impl Items {
    fn of(items: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(source) = items.cast::<Source>() {
            return Ok(Self::Held { source: source.clone().unbind(), made: PyOnceLock::new() });
        }
        let made = items.try_iter()?.collect::<PyResult<Vec<_>>>()?;
        Ok(Self::Made(PyTuple::new(items.py(), made)?.unbind()))
    }

    fn get<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let (source, items) = match self {
            Self::Made(items) => return Ok(items.bind(py).clone()),
            Self::Held { source, made } => (source, made),
        };
        let make = || {
            let all = 0..source.get().items().len();
            let items: Vec<_> =
                all.map(|index| Bound::new(py, SandboxItem::new(py, source, index)?)).collect::<PyResult<_>>()?;
            PyTuple::new(py, items).map(Bound::unbind)
        };
        items.get_or_try_init(py, make).map(|items| items.bind(py).clone())
    }
}

/// Declares the base class of a page: `name: "wireName"` of its fields before `items` and `next_cursor`.
macro_rules! page {
    ($(#[$about:meta])* $name:ident ($reply:ident, $table:ident) { $($(#[$doc:meta])* $field:ident => $wire:literal,)* }) => {
        $(#[$about])*
        #[pyclass(frozen, subclass, module = "opencomputer_usage")]
        pub struct $name {
            $($(#[$doc])* #[pyo3(get)] $field: Py<PyAny>,)*
            items: Items,
            /// Where the next page starts; None on the last one.
            #[pyo3(get)]
            next_cursor: Py<PyAny>,
            /// Fetches the next page; None on the last one, and where no client brought the page.
            #[pyo3(get)]
            _fetch: Py<PyAny>,
        }

        impl Model for $name {
            const FIELDS: &'static [Field] = &[
                $(Field::new(stringify!($field), $wire),)*
                Field::new("items", "items"),
                Field::new("next_cursor", "nextCursor"),
            ];

            fn values<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
                let items = self.items.get(py)?.into_any();
                Ok(vec![$(self.$field.bind(py).clone(),)* items, self.next_cursor.bind(py).clone()])
            }
        }

        model_methods! {
            impl $name {
                #[new]
                #[pyo3(signature = ($($field,)* items, next_cursor, _fetch = none()))]
                #[allow(clippy::used_underscore_binding, reason = "Python's way to say that it is private")]
                fn new(
                    $($field: Py<PyAny>,)*
                    items: &Bound<'_, PyAny>,
                    next_cursor: Py<PyAny>,
                    _fetch: Py<PyAny>,
                ) -> PyResult<Self> {
                    Ok(Self { $($field,)* items: Items::of(items)?, next_cursor, _fetch })
                }

                /// Reads a page as the API answers with it, such as one that was kept.
                ///
                /// Raises:
                ///     DecodeError: If the body is not what the API promises.
                #[classmethod]
                #[pyo3(signature = (body, /))]
                fn from_json<'py>(
                    cls: &Bound<'py, PyType>,
                    body: PyBackedBytes,
                ) -> PyResult<Bound<'py, PyAny>> {
                    let py = cls.py();
                    let body = Bytes::from_owner(body);
                    let page = py.detach(|| Value::decode(Reply::$reply, body.clone(), None));
                    let fields = page.map_err(|why| undecodable(&why, &body))?.into_python(py)?;
                    cls.call1(fields.cast_bound::<PyTuple>(py)?.clone())
                }

                /// What fetches the next page may lead back to this one, by way of a transport of the user's own.
                fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
                    visit.call(&self._fetch)
                }

                /// The groups of this page.
                #[getter]
                fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
                    self.items.get(py)
                }

                /// The items of this page as a table, for data frames.
                #[pyo3(signature = (requested_schema = None))]
                fn __arrow_c_stream__<'py>(
                    &self,
                    py: Python<'py>,
                    requested_schema: Option<&Bound<'py, PyAny>>,
                ) -> PyResult<Bound<'py, PyCapsule>> {
                    let _ = requested_schema; // A wish, which the protocol leaves open to grant.
                    table::stream(py, table::$table(self.items.get(py)?.iter())?)
                }

                /// `from_` as an aware datetime.
                #[getter]
                fn from_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> {
                    datetime(self.from_.bind(py))
                }

                /// `to` as an aware datetime.
                #[getter]
                fn to_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> {
                    datetime(self.to.bind(py))
                }

                /// `as_of` as an aware datetime.
                #[getter]
                fn as_of_datetime<'py>(&self, py: Python<'py>) -> Datetime<'py> {
                    datetime(self.as_of.bind(py))
                }
            }
        }
    };
}

page! {
    /// Usage by the values of a tag.
    TagUsage (TagUsage, tags) {
        /// Start of the window, inclusive.
        from_ => "from",
        /// End of the window, exclusive.
        to => "to",
        /// When running sandboxes were measured; None from the platform's own servers.
        as_of => "asOf",
        /// The dimension, `tag:<key>`.
        group_by => "groupBy",
        /// All that matches the window and the filters, not only this page.
        total => "total",
        /// The part of it that lacks the tag; None where the server does not say.
        untagged => "untagged",
    }
}

page! {
    /// Usage by sandbox.
    SandboxesUsage (SandboxUsagePage, sandboxes) {
        /// Start of the window, inclusive.
        from_ => "from",
        /// End of the window, exclusive.
        to => "to",
        /// When running sandboxes were measured; None from the platform's own servers.
        as_of => "asOf",
        /// The dimension, `sandbox`; None where the server does not name it.
        group_by => "groupBy",
        /// All that matches the window and the filters, not only this page.
        total => "total",
    }
}
