//! The fields of models, with the checks of their constructors.

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString, PyTuple, PyType};
use pyo3::{PyTypeInfo, intern};

use crate::host_value::number;
use crate::models::tags;

/// A field: its names in Python and on the wire, and its type.
pub struct Field {
    pub name: &'static str,
    pub wire: &'static str,
    pub kind: Kind,
    /// The field that decides whether this one is omitted on the wire: it is if that field is None.
    pub needs: Option<&'static str>,
}

impl Field {
    /// Creates a field that is always on the wire.
    pub const fn new(name: &'static str, wire: &'static str, kind: Kind) -> Self {
        Self { name, wire, kind, needs: None }
    }

    /// Creates a field that is omitted on the wire if it is None, False or an empty tuple.
    pub const fn optional(name: &'static str, wire: &'static str, kind: Kind) -> Self {
        Self { name, wire, kind, needs: Some(name) }
    }

    /// Creates a field that is omitted on the wire if another field is None.
    pub const fn with(name: &'static str, wire: &'static str, kind: Kind, needs: &'static str) -> Self {
        Self { name, wire, kind, needs: Some(needs) }
    }

    /// Converts a value to the one that a model keeps. Refuses a value of another type.
    pub fn check(&self, py: Python<'_>, value: Py<PyAny>) -> PyResult<Py<PyAny>> {
        let value = value.into_bound(py);
        if value.is_none() && self.kind.nullable {
            return Ok(value.unbind());
        }
        if value.is_none() && self.needs.is_some() {
            match self.kind.of {
                Of::Many(_) => return PyTuple::empty(py).into_py_any(py),
                Of::Flag => return false.into_py_any(py),
                _ => {}
            }
        }
        match self.kind.of {
            Of::Text | Of::Time => {
                let text = value.cast_into::<PyString>().map_err(|error| self.misfit(&error.into_inner(), "a str"))?;
                text.to_str()?; // A lone surrogate raises a UnicodeEncodeError.
                Ok(text.into_any().unbind())
            }
            Of::Number => self.number(&value)?.into_py_any(py),
            Of::Numbers => {
                let items = value.try_iter().map_err(|_| self.misfit(&value, "an iterable of floats"))?;
                let items = items.map(|item| self.number(&item?)).collect::<PyResult<Vec<_>>>()?;
                PyTuple::new(py, items)?.into_py_any(py)
            }
            Of::Flag => {
                let flag = value.cast_into::<PyBool>().map_err(|error| self.misfit(&error.into_inner(), "a bool"))?;
                Ok(flag.into_any().unbind())
            }
            Of::Count => {
                if value.is_instance_of::<PyBool>() || !value.hasattr(intern!(py, "__index__"))? {
                    return Err(self.misfit(&value, "an int"));
                }
                let count = value.extract::<u64>();
                let count =
                    count.map_err(|_| PyValueError::new_err(format!("{} must be from 0 to 2**64 - 1", self.name)));
                count?.into_py_any(py)
            }
            Of::Tags => tags::of_mapping(&value),
            Of::Group => tags::group_of_mapping(&value),
            Of::One(class) => {
                let class = class(py);
                if value.is_instance(&class)? { Ok(value.unbind()) } else { Err(self.misfit_model(&value, &class)) }
            }
            Of::Many(class) => {
                let class = class(py);
                let items = value.try_iter().map_err(|_| self.misfit(&value, "an iterable"))?;
                let items = items.collect::<PyResult<Vec<_>>>()?;
                for item in &items {
                    if !item.is_instance(&class)? {
                        return Err(self.misfit_model(item, &class));
                    }
                }
                PyTuple::new(py, items)?.into_py_any(py)
            }
        }
    }

    fn number(&self, value: &Bound<'_, PyAny>) -> PyResult<f64> {
        match number(value)? {
            Some(number) if number.is_finite() => Ok(number),
            Some(_) => Err(PyValueError::new_err(format!("{} must be finite", self.name))),
            None => Err(self.misfit(value, "a float")),
        }
    }

    fn misfit(&self, value: &Bound<'_, PyAny>, wanted: &str) -> PyErr {
        let or_none = if self.kind.nullable { " or None" } else { "" };
        PyTypeError::new_err(format!("{} must be {wanted}{or_none}, got {}", self.name, type_name(value)))
    }

    fn misfit_model(&self, value: &Bound<'_, PyAny>, class: &Bound<'_, PyType>) -> PyErr {
        let name = class.name().map_or_else(|_| "model".to_owned(), |name| name.to_string());
        self.misfit(value, &format!("a {name}"))
    }
}

/// Returns the name of a value's type, for messages.
pub fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "another type".to_owned(), |name| name.to_string())
}

/// The type of a field.
#[derive(Clone, Copy)]
pub struct Kind {
    pub of: Of,
    pub nullable: bool,
}

#[derive(Clone, Copy)]
pub enum Of {
    Text,
    Time,
    Number,
    Numbers,
    Count,
    Flag,
    Tags,
    Group,
    One(Class),
    Many(Class),
}

type Class = fn(Python<'_>) -> Bound<'_, PyType>;

fn class<T: PyTypeInfo>(py: Python<'_>) -> Bound<'_, PyType> {
    py.get_type::<T>()
}

/// A string.
pub const TEXT: Kind = Kind::new(Of::Text);
/// A string that is a timestamp.
pub const TIME: Kind = Kind::new(Of::Time);
/// A float.
pub const NUMBER: Kind = Kind::new(Of::Number);
/// A tuple of floats.
pub const NUMBERS: Kind = Kind::new(Of::Numbers);
/// A bool.
pub const FLAG: Kind = Kind::new(Of::Flag);
/// The values of a group.
pub const GROUP: Kind = Kind::new(Of::Group);
/// A non-negative integer.
pub const COUNT: Kind = Kind::new(Of::Count);
/// Tags.
pub const TAGS: Kind = Kind::new(Of::Tags);

impl Kind {
    const fn new(of: Of) -> Self {
        Self { of, nullable: false }
    }

    /// A model.
    pub const fn one<T: PyTypeInfo>() -> Self {
        Self::new(Of::One(class::<T>))
    }

    /// A tuple of models.
    pub const fn many<T: PyTypeInfo>() -> Self {
        Self::new(Of::Many(class::<T>))
    }

    /// Returns the class of the models, if there are any.
    pub fn class(self, py: Python<'_>) -> Option<Bound<'_, PyType>> {
        match self.of {
            Of::One(class) | Of::Many(class) => Some(class(py)),
            _ => None,
        }
    }

    /// Allows None, too.
    pub const fn maybe(self) -> Self {
        Self { nullable: true, ..self }
    }

    /// Returns the parts of the pydantic schema: the kind, the class of models, and whether None is allowed.
    pub fn described(self, py: Python<'_>) -> (&'static str, Option<Bound<'_, PyType>>, bool) {
        let word = match self.of {
            Of::Text | Of::Time => "text",
            Of::Number => "number",
            Of::Numbers => "numbers",
            Of::Flag => "flag",
            Of::Group => "group",
            Of::Count => "count",
            Of::Tags => "tags",
            Of::One(_) => "one",
            Of::Many(_) => "many",
        };
        (word, self.class(py), self.nullable)
    }
}
