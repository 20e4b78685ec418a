//! Pages of usage.

use bytes::Bytes;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString, PyTuple};

use crate::decode::source::Source;
use crate::errors::undecodable;
use crate::models::field::{Field, type_name};

/// Creates an item of a page.
type OfSource = fn(Python<'_>, &Py<Source>, usize) -> PyResult<Py<PyAny>>;

/// The items of a page: at hand, or where they can be made from.
pub enum Items {
    Made(Py<PyTuple>),
    Held { source: Py<Source>, made: PyOnceLock<Py<PyTuple>> },
}

impl Items {
    pub fn of(field: &Field, items: Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(source) = items.cast::<Source>() {
            return Ok(Self::Held { source: source.clone().unbind(), made: PyOnceLock::new() });
        }
        let py = items.py();
        let made = field.check(py, items.unbind())?;
        Ok(Self::Made(made.into_bound(py).cast_into::<PyTuple>()?.unbind()))
    }

    pub fn get<'py>(&self, py: Python<'py>, of_source: OfSource) -> PyResult<Bound<'py, PyTuple>> {
        let (source, items) = match self {
            Self::Made(items) => return Ok(items.bind(py).clone()),
            Self::Held { source, made } => (source, made),
        };
        let make = || {
            let all = 0..source.get().items().len();
            let items: Vec<_> = all.map(|index| of_source(py, source, index)).collect::<PyResult<_>>()?;
            PyTuple::new(py, items).map(Bound::unbind)
        };
        items.get_or_try_init(py, make).map(|items| items.bind(py).clone())
    }
}

/// Why a page that others follow is no table: a frame of it would look like the whole report.
pub const MORE_PAGES: &str = "more pages follow this one: take Table(page) for the items of all of them, or Table(page.items) \
                          for this page alone; of an async walk, Table([item async for item in walk])";

/// The bytes of a body that is a `str`, `bytes`, `bytearray` or `memoryview`.
pub fn bytes(body: &Bound<'_, PyAny>) -> PyResult<Bytes> {
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

/// Declares the base classes of pages: `Name(Reply) { field: KIND => "wireName", … } { items: Item => "wireName", next_cursor: KIND => "wireName" }
/// { optional_field = none: KIND => "wireName" (optional), … } + { its own methods }`.
macro_rules! pages {
    ($(
        $(#[$about:meta])*
        $name:ident ($reply:ident)
        { $($(#[$doc:meta])* $field:ident : $kind:expr => $wire:literal,)* }
        {
            $(#[$items_doc:meta])* items: $items:ty => $items_wire:literal,
            $(#[$cursor_doc:meta])* next_cursor: $cursor:expr => $cursor_wire:literal,
        }
        { $($(#[$more_doc:meta])* $more:ident = none: $more_kind:expr => $more_wire:literal (optional),)* }
        + { $($own:tt)* }
    )*) => {$(
        $(#[$about])*
        #[pyclass(frozen, mapping, subclass, weakref, module = "opencomputer_usage")]
        pub struct $name {
            $($(#[$doc])* #[pyo3(get)] $field: Py<PyAny>,)*
            items: Items,
            $(#[$cursor_doc])*
            #[pyo3(get)]
            next_cursor: Py<PyAny>,
            $($(#[$more_doc])* #[pyo3(get)] $more: Py<PyAny>,)*
            /// Fetches the next page; None on the last one, and where no client brought the page.
            #[pyo3(get)]
            _fetch: Py<PyAny>,
        }

        impl Model for $name {
            const FIELDS: &'static [Field] = &[
                $(Field::new(stringify!($field), $wire, $kind),)*
                Field::new("items", $items_wire, Kind::many::<$items>()),
                Field::new("next_cursor", $cursor_wire, $cursor),
                $(Field::optional(stringify!($more), $more_wire, $more_kind),)*
            ];

            fn values<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
                let items = self.items.get(py, <$items>::of_source)?.into_any();
                let next_cursor = self.next_cursor.bind(py).clone();
                Ok(vec![$(self.$field.bind(py).clone(),)* items, next_cursor, $(self.$more.bind(py).clone(),)*])
            }
        }

        model_methods! {
            impl $name {
                #[new]
                #[pyo3(signature = ($($field,)* items, next_cursor, $($more = none(),)* _fetch = none()))]
                #[allow(clippy::used_underscore_binding, reason = "Python's way to say that it is private")]
                fn new(
                    py: Python<'_>,
                    $($field: Py<PyAny>,)*
                    items: Bound<'_, PyAny>,
                    next_cursor: Py<PyAny>,
                    $($more: Py<PyAny>,)*
                    _fetch: Py<PyAny>,
                ) -> PyResult<Self> {
                    let mut fields = Self::FIELDS.iter();
                    $(let $field = checked(py, &mut fields, $field)?;)*
                    let items = fields.next().map(|field| Items::of(field, items));
                    let items = items.unwrap_or_else(|| Err(PyTypeError::new_err("a page has items")))?;
                    let next_cursor = checked(py, &mut fields, next_cursor)?;
                    $(let $more = checked(py, &mut fields, $more)?;)*
                    Ok(Self { $($field,)* items, next_cursor, $($more,)* _fetch })
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
                    let fields = page.map_err(|why| undecodable(&why, &body))?.into_result(py)?;
                    cls.call1(fields.cast_bound::<PyTuple>(py)?.clone())
                }

                /// Visits `_fetch`, which may refer back to this page through a custom transport.
                fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
                    visit.call(&self._fetch)
                }

                $(#[$items_doc])*
                #[getter]
                fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
                    self.items.get(py, <$items>::of_source)
                }

                /// Returns the items of this page as an Arrow stream, for data frames.
                #[pyo3(signature = (requested_schema = None))]
                fn __arrow_c_stream__<'py>(
                    slf: &Bound<'py, Self>,
                    requested_schema: Option<&Bound<'py, PyAny>>,
                ) -> PyResult<Bound<'py, PyCapsule>> {
                    let _ = requested_schema; // The protocol makes it optional to honor this.
                    let py = slf.py();
                    if !slf.get().next_cursor.is_none(py) {
                        return Err(PyValueError::new_err(MORE_PAGES));
                    }
                    Table::of_page(slf.as_any())?.stream(py)
                }

                $($own)*
            }
        }
    )*};
}
pub(crate) use pages;
