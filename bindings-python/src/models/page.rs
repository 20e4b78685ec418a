//! Pages of usage.

use bytes::Bytes;
use opencomputer_usage_core::client::Reply;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyCapsule, PyMemoryView, PyString, PyTuple, PyType};

use crate::decode::answer;
use crate::decode::source::Source;
use crate::errors::undecodable;
use crate::models::arrow;
use crate::models::field::{Field, Kind, TEXT, type_name};
use crate::models::model::{Datetime, Model, checked, datetime, model_methods, none};
use crate::models::records::{TagUsageItem, UntaggedUsage, UsageTotals};
use crate::models::sandbox_item::SandboxUsageItem;

/// The items of a page: at hand, or where they can be made from.
enum Items {
    Made(Py<PyTuple>),
    Held { source: Py<Source>, made: PyOnceLock<Py<PyTuple>> },
}

impl Items {
    fn of(field: &Field, items: Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(source) = items.cast::<Source>() {
            return Ok(Self::Held { source: source.clone().unbind(), made: PyOnceLock::new() });
        }
        let py = items.py();
        let made = field.check(py, items.unbind())?;
        Ok(Self::Made(made.into_bound(py).cast_into::<PyTuple>()?.unbind()))
    }

    fn get<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let (source, items) = match self {
            Self::Made(items) => return Ok(items.bind(py).clone()),
            Self::Held { source, made } => (source, made),
        };
        let make = || {
            let all = 0..source.get().items().len();
            let items: Vec<_> =
                all.map(|index| Bound::new(py, SandboxUsageItem::new(py, source, index)?)).collect::<PyResult<_>>()?;
            PyTuple::new(py, items).map(Bound::unbind)
        };
        items.get_or_try_init(py, make).map(|items| items.bind(py).clone())
    }
}

/// Why a page that others follow is no table: a frame of it would look like the whole report.
const MORE_PAGES: &str = "more pages follow this one: take Table(page) for the items of all of them, or Table(page.items) \
                          for this page alone; of an async walk, Table([item async for item in walk])";

/// The bytes of a body that is a `str`, `bytes`, `bytearray` or `memoryview`.
fn bytes(body: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    if let Ok(text) = body.cast::<PyString>() {
        let text = text.to_str().map_err(|_| undecodable("it is not UTF-8", b""))?;
        return Ok(Bytes::copy_from_slice(text.as_bytes()));
    }
    let known = body.is_instance_of::<PyBytes>() || body.is_instance_of::<PyByteArray>();
    if !known && !body.is_instance_of::<PyMemoryView>() {
        let name = type_name(body);
        return Err(PyTypeError::new_err(format!("body must be a str, bytes, bytearray or memoryview, got {name}")));
    }
    let body = if known { body.clone() } else { body.py().get_type::<PyBytes>().call1((body,))? };
    Ok(Bytes::from_owner(body.extract::<PyBackedBytes>()?))
}

/// Declares the base class of a page: `name: KIND => "wireName"` of its fields before `items` and `next_cursor`.
macro_rules! page {
    ($(#[$about:meta])* $name:ident ($reply:ident, $table:ident, $item:ty) { $($(#[$doc:meta])* $field:ident : $kind:expr => $wire:literal,)* }) => {
        $(#[$about])*
        #[pyclass(frozen, mapping, subclass, weakref, module = "opencomputer_usage")]
        pub struct $name {
            $($(#[$doc])* #[pyo3(get)] $field: Py<PyAny>,)*
            items: Items,
            /// The cursor of the next page; None on the last page.
            #[pyo3(get)]
            next_cursor: Py<PyAny>,
            /// Fetches the next page; None on the last one, and where no client brought the page.
            #[pyo3(get)]
            _fetch: Py<PyAny>,
        }

        impl Model for $name {
            const FIELDS: &'static [Field] = &[
                $(Field::new(stringify!($field), $wire, $kind),)*
                Field::new("items", "items", Kind::many::<$item>()),
                Field::new("next_cursor", "nextCursor", TEXT.maybe()),
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
                    py: Python<'_>,
                    $($field: Py<PyAny>,)*
                    items: Bound<'_, PyAny>,
                    next_cursor: Py<PyAny>,
                    _fetch: Py<PyAny>,
                ) -> PyResult<Self> {
                    let mut fields = Self::FIELDS.iter();
                    $(let $field = checked(py, &mut fields, $field)?;)*
                    let items = fields.next().map(|field| Items::of(field, items));
                    let items = items.unwrap_or_else(|| Err(PyTypeError::new_err("a page has items")))?;
                    Ok(Self { $($field,)* items, next_cursor: checked(py, &mut fields, next_cursor)?, _fetch })
                }

                /// Reads a page from the body of a response, such as a stored one.
                ///
                /// Raises:
                ///     DecodeError: If the body does not match the API.
                #[classmethod]
                #[pyo3(signature = (body, /))]
                fn from_json<'py>(
                    cls: &Bound<'py, PyType>,
                    body: &Bound<'py, PyAny>,
                ) -> PyResult<Bound<'py, PyAny>> {
                    let py = cls.py();
                    let body = bytes(body)?;
                    let page = py.detach(|| answer::decode(Reply::$reply, body.clone()));
                    let fields = answer::into_python(page.map_err(|why| undecodable(&why, &body))?, py)?;
                    cls.call1(fields.cast_bound::<PyTuple>(py)?.clone())
                }

                /// Visits `_fetch`, which may refer back to this page through a custom transport.
                fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
                    visit.call(&self._fetch)
                }

                /// The groups of this page.
                #[getter]
                fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
                    self.items.get(py)
                }

                /// Returns the items of this page as an Arrow stream, for data frames.
                #[pyo3(signature = (requested_schema = None))]
                fn __arrow_c_stream__<'py>(
                    &self,
                    py: Python<'py>,
                    requested_schema: Option<&Bound<'py, PyAny>>,
                ) -> PyResult<Bound<'py, PyCapsule>> {
                    let _ = requested_schema; // The protocol makes it optional to honor this.
                    if !self.next_cursor.is_none(py) {
                        return Err(PyValueError::new_err(MORE_PAGES));
                    }
                    arrow::stream(py, arrow::$table(self.items.get(py)?.iter())?)
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
    TagUsage (TagUsage, tags, TagUsageItem) {
        /// Start of the window, inclusive.
        from_: TEXT => "from",
        /// End of the window, exclusive.
        to: TEXT => "to",
        /// The instant at which running sandboxes were measured; None from the platform's own servers.
        as_of: TEXT.maybe() => "asOf",
        /// The dimension, `tag:<key>`.
        group_by: TEXT => "groupBy",
        /// Everything that matches the window and the filters, not only this page.
        total: Kind::one::<UsageTotals>() => "total",
        /// The part of the total that lacks the tag; None if the server does not send it.
        untagged: Kind::one::<UntaggedUsage>().maybe() => "untagged",
    }
}

page! {
    /// Usage by sandbox.
    SandboxesUsage (SandboxUsagePage, sandboxes, SandboxUsageItem) {
        /// Start of the window, inclusive.
        from_: TEXT => "from",
        /// End of the window, exclusive.
        to: TEXT => "to",
        /// The instant at which running sandboxes were measured; None from the platform's own servers.
        as_of: TEXT.maybe() => "asOf",
        /// The dimension, `sandbox`; None if the server does not name it.
        group_by: TEXT.maybe() => "groupBy",
        /// Everything that matches the window and the filters, not only this page.
        total: Kind::one::<UsageTotals>() => "total",
    }
}
