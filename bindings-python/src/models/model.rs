//! The methods of every model: an immutable value with named fields.

use std::ffi::CStr;
use std::sync::OnceLock;

use pyo3::IntoPyObjectExt;
use pyo3::PyClass;
use pyo3::basic::CompareOp;
use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyList, PyString, PyTuple, PyTupleMethods, PyType};

use crate::decode::source::Source;
use crate::models::field::Field;

/// Returns the default of an optional field.
pub fn none() -> Py<PyAny> {
    #[allow(clippy::redundant_closure_for_method_calls, reason = "the method alone is of one lifetime")]
    Python::attach(|py| py.None())
}

/// An immutable value of named fields.
pub trait Model: PyClass<Frozen = pyo3::pyclass::boolean_struct::True> + Sync {
    const FIELDS: &'static [Field];

    /// Creates the item at an index of a page that holds its items encoded.
    fn of_source(_: Python<'_>, _: &Py<Source>, _: usize) -> PyResult<Py<PyAny>> {
        Err(PyTypeError::new_err("the items of this page are not encoded"))
    }

    /// Returns the values of the fields, in order.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>>;
}

/// The fields of a class by its name.
type Known = (&'static str, &'static [Field]);

static CLASSES: OnceLock<&'static [Known]> = OnceLock::new();

/// Makes the fields of classes known to [`fields_of`].
pub fn register(classes: &'static [Known]) {
    // Every import of the module registers the same classes.
    let _ = CLASSES.set(classes);
}

/// Returns the fields of a class.
pub fn fields_of(class: &str) -> Option<&'static [Field]> {
    CLASSES.get()?.iter().find(|(name, _)| *name == class).map(|(_, fields)| *fields)
}

type Slf<'a, 'py, T> = &'a Bound<'py, T>;

fn values<'py, T: Model>(slf: Slf<'_, 'py, T>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    slf.get().values(slf.py())
}

/// Returns `Name(field=value, …)` without fields that the wire omits, and with only the length of a tuple, which may have
/// many items.
pub fn repr<T: Model>(slf: Slf<'_, '_, T>) -> PyResult<String> {
    let mut fields = Vec::with_capacity(T::FIELDS.len());
    for (field, value) in written(slf)? {
        let shown = match value.cast::<PyTuple>() {
            Ok(items) => format!("<{}>", items.len()),
            Err(_) => value.repr()?.to_string(),
        };
        fields.push(format!("{}={shown}", field.name));
    }
    Ok(format!("{}({})", slf.as_any().get_type().name()?, fields.join(", ")))
}

/// Compares the fields. Pages of the blocking and the async client are equal if their fields are.
pub fn compare<'py, T: Model>(
    slf: Slf<'_, 'py, T>,
    other: &Bound<'py, PyAny>,
    op: CompareOp,
) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    let wanted = match op {
        CompareOp::Eq => true,
        CompareOp::Ne => false,
        _ => return Ok(py.NotImplemented().into_bound(py)),
    };
    let Ok(twin) = other.cast::<T>() else {
        return Ok(py.NotImplemented().into_bound(py));
    };
    let mut equal = true;
    for (own, its) in values(slf)?.into_iter().zip(values(twin)?) {
        equal = equal && own.eq(its)?;
    }
    (equal == wanted).into_bound_py_any(py)
}

/// Returns the hash of the fields.
pub fn hash<T: Model>(slf: Slf<'_, '_, T>) -> PyResult<isize> {
    PyTuple::new(slf.py(), values(slf)?)?.hash()
}

/// Pickles a model as its class and fields.
pub fn reduce<'py, T: Model>(slf: Slf<'_, 'py, T>) -> PyResult<(Bound<'py, PyType>, Bound<'py, PyTuple>)> {
    Ok((slf.as_any().get_type(), PyTuple::new(slf.py(), values(slf)?)?))
}

/// Returns the model as plain dicts and lists under wire names.
pub fn to_dict<'py, T: Model>(slf: Slf<'_, 'py, T>) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(slf.py());
    for (field, value) in written(slf)? {
        dict.set_item(field.wire, plain(&value)?)?;
    }
    Ok(dict)
}

/// Returns the fields and their values, without fields that the wire omits.
fn written<'py, T: Model>(slf: Slf<'_, 'py, T>) -> PyResult<Vec<(&'static Field, Bound<'py, PyAny>)>> {
    let values = values(slf)?;
    let lacks = |name| T::FIELDS.iter().zip(&values).any(|(field, value)| field.name == name && is_absent(value));
    let shown = T::FIELDS.iter().zip(&values).filter(|(field, _)| !field.needs.is_some_and(lacks));
    Ok(shown.map(|(field, value)| (field, value.clone())).collect())
}

/// Returns whether a value stands for a missing one: None, False or an empty tuple.
fn is_absent(value: &Bound<'_, PyAny>) -> bool {
    let is_false = value.cast::<PyBool>().is_ok_and(|value| !value.is_true());
    value.is_none() || is_false || value.cast::<PyTuple>().is_ok_and(PyTupleMethods::is_empty)
}

/// Returns the keys of `to_dict`, for `dict(model)`.
pub fn keys<T: Model>(slf: Slf<'_, '_, T>) -> PyResult<Vec<&'static str>> {
    Ok(written(slf)?.into_iter().map(|(field, _)| field.wire).collect())
}

/// Returns the value of `to_dict` for a key.
pub fn item<'py, T: Model>(slf: Slf<'_, 'py, T>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let name = key.cast::<PyString>().ok().and_then(|key| key.to_str().ok());
    let found = written(slf)?.into_iter().find(|(field, _)| Some(field.wire) == name);
    let (_, value) = found.ok_or_else(|| PyKeyError::new_err(key.clone().unbind()))?;
    plain(&value)
}

/// Returns the pydantic schema of a class.
pub fn pydantic_schema<'py, T: Model>(
    class: &Bound<'py, PyType>,
    handler: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    class.py().import("opencomputer_usage._pydantic")?.getattr("schema")?.call1((class, handler))
}

/// Returns the fields of a class for `opencomputer_usage._pydantic`.
pub fn described<T: Model>(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    let field = |field: &Field| {
        let (kind, class, nullable) = field.kind.described(py);
        (field.name, field.wire, kind, class, nullable, field.needs.is_some())
    };
    PyTuple::new(py, T::FIELDS.iter().map(field))
}

fn plain<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if value.is_exact_instance_of::<PyString>() || value.is_exact_instance_of::<PyFloat>() {
        return Ok(value.clone());
    }
    if let Ok(items) = value.cast::<PyTuple>() {
        let items: Vec<_> = items.iter().map(|item| plain(&item)).collect::<PyResult<_>>()?;
        return PyList::new(value.py(), items)?.into_bound_py_any(value.py());
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        return dict.copy()?.into_bound_py_any(value.py());
    }
    match value.getattr_opt("to_dict")? {
        Some(to_dict) => to_dict.call0(),
        None => Ok(value.clone()),
    }
}

/// Returns a class with a type parameter, for annotations.
pub fn generic_alias<'py>(class: &Bound<'py, PyType>, item: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    class.py().import("types")?.getattr("GenericAlias")?.call1((class, item))
}

/// Checks the value of the next field.
pub fn checked<'a>(
    py: Python<'_>,
    fields: &mut impl Iterator<Item = &'a Field>,
    value: Py<PyAny>,
) -> PyResult<Py<PyAny>> {
    match fields.next() {
        Some(field) => field.check(py, value),
        None => Ok(value),
    }
}

/// Returns the field names for positional patterns of `match`.
pub fn match_args<T: Model>(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    PyTuple::new(py, T::FIELDS.iter().map(|field| field.name))
}

pub type Datetime<'py> = PyResult<Option<Bound<'py, PyAny>>>;

/// Converts a timestamp to an aware `datetime`.
pub fn datetime<'py>(wire: &Bound<'py, PyAny>) -> Datetime<'py> {
    const EPOCH: &CStr = c"__import__('datetime').datetime(1970, 1, 1, tzinfo=__import__('datetime').timezone.utc)";
    if wire.is_none() {
        return Ok(None);
    }
    let py = wire.py();
    let text = wire.cast::<PyString>()?.to_str()?.to_owned();
    let instant = opencomputer_usage::Timestamp::read(&text)
        .ok_or_else(|| pyo3::exceptions::PyValueError::new_err(format!("`{text}` is not a timestamp")))?;
    let since = py.import("datetime")?.getattr("timedelta")?.call1((0, 0, instant.micros()))?;
    py.eval(EPOCH, None, None)?.add(since).map(Some)
}

/// Adds the methods of every model to a class.
macro_rules! model_methods {
    (impl $name:ident { $($own:tt)* }) => {
        #[pyo3::pymethods]
        impl $name {
            $($own)*

            #[classattr]
            #[pyo3(name = "__match_args__")]
            fn match_args(py: pyo3::Python<'_>) -> pyo3::PyResult<pyo3::Bound<'_, pyo3::types::PyTuple>> {
                crate::models::model::match_args::<Self>(py)
            }

            fn __repr__(slf: &pyo3::Bound<'_, Self>) -> pyo3::PyResult<String> {
                crate::models::model::repr(slf)
            }

            fn __richcmp__<'py>(
                slf: &pyo3::Bound<'py, Self>,
                other: &pyo3::Bound<'py, pyo3::PyAny>,
                op: pyo3::basic::CompareOp,
            ) -> pyo3::PyResult<pyo3::Bound<'py, pyo3::PyAny>> {
                crate::models::model::compare(slf, other, op)
            }

            fn __hash__(slf: &pyo3::Bound<'_, Self>) -> pyo3::PyResult<isize> {
                crate::models::model::hash(slf)
            }

            fn __reduce__<'py>(
                slf: &pyo3::Bound<'py, Self>,
            ) -> pyo3::PyResult<(pyo3::Bound<'py, pyo3::types::PyType>, pyo3::Bound<'py, pyo3::types::PyTuple>)> {
                crate::models::model::reduce(slf)
            }

            /// The keys of `to_dict()`, for `dict(model)`.
            fn keys(slf: &pyo3::Bound<'_, Self>) -> pyo3::PyResult<Vec<&'static str>> {
                crate::models::model::keys(slf)
            }

            fn __getitem__<'py>(
                slf: &pyo3::Bound<'py, Self>,
                key: &pyo3::Bound<'py, pyo3::PyAny>,
            ) -> pyo3::PyResult<pyo3::Bound<'py, pyo3::PyAny>> {
                crate::models::model::item(slf, key)
            }

            #[classattr]
            fn _fields(py: pyo3::Python<'_>) -> pyo3::PyResult<pyo3::Bound<'_, pyo3::types::PyTuple>> {
                crate::models::model::described::<Self>(py)
            }

            #[classmethod]
            #[pyo3(name = "__get_pydantic_core_schema__")]
            fn pydantic_schema<'py>(
                cls: &pyo3::Bound<'py, pyo3::types::PyType>,
                _source: &pyo3::Bound<'py, pyo3::PyAny>,
                handler: &pyo3::Bound<'py, pyo3::PyAny>,
            ) -> pyo3::PyResult<pyo3::Bound<'py, pyo3::PyAny>> {
                crate::models::model::pydantic_schema::<Self>(cls, handler)
            }

            /// Returns the model as plain dicts and lists under the API's names.
            fn to_dict<'py>(slf: &pyo3::Bound<'py, Self>) -> pyo3::PyResult<pyo3::Bound<'py, pyo3::types::PyDict>> {
                crate::models::model::to_dict(slf)
            }
        }
    };
}
pub(crate) use model_methods;

/// Declares models: `Name { field: KIND => "wireName", other = none: KIND => "otherName" (optional), } + { its own
/// methods }`. A field with a default is optional in the constructor.
macro_rules! models {
    ($(
        $(#[$about:meta])*
        $name:ident { $($(#[$doc:meta])* $field:ident $(= $default:ident)? : $kind:expr => $wire:literal $(($how:ident $($needs:literal)?))?,)* }
        $(+ { $($own:tt)* })?
    )*) => {$(
        $(#[$about])*
        #[pyclass(frozen, mapping, weakref, module = "opencomputer_usage")]
        pub struct $name {
            $($(#[$doc])* #[pyo3(get)] pub $field: Py<PyAny>,)*
        }

        impl $name {
            /// Creates a model from the values of its fields.
            pub const fn new($($field: Py<PyAny>),*) -> Self {
                Self { $($field),* }
            }
        }

        impl Model for $name {
            const FIELDS: &'static [Field] =
                &[$(models!(@field (stringify!($field), $wire, $kind) $($how $($needs)?)?)),*];

            fn values<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
                Ok(vec![$(self.$field.bind(py).clone()),*])
            }
        }

        model_methods! {
            impl $name {
                #[new]
                #[pyo3(signature = ($($field $(= $default())?),*))]
                fn of(py: Python<'_>, $($field: Py<PyAny>),*) -> PyResult<Self> {
                    let mut fields = Self::FIELDS.iter();
                    $(let $field = checked(py, &mut fields, $field)?;)*
                    Ok(Self::new($($field),*))
                }

                $($($own)*)?
            }
        }
    )*};
    (@field ($name:expr, $wire:expr, $kind:expr)) => { Field::new($name, $wire, $kind) };
    (@field ($name:expr, $wire:expr, $kind:expr) $how:ident $($needs:literal)?) => {
        Field::$how($name, $wire, $kind $(, $needs)?)
    };
}
pub(crate) use models;
