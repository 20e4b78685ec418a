//! Models of lists of numbers, which become tuples when they are read. A page with an interval has ten thousands of
//! numbers.

use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// A list of numbers.
pub struct Packed {
    numbers: Box<[f64]>,
    made: OnceLock<Py<PyTuple>>,
}

impl From<Vec<f64>> for Packed {
    fn from(numbers: Vec<f64>) -> Self {
        Self { numbers: numbers.into(), made: OnceLock::new() }
    }
}

impl Packed {
    /// Returns the numbers as a tuple, which is created once.
    pub fn tuple<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        if let Some(made) = self.made.get() {
            return Ok(made.bind(py).clone());
        }
        let made = PyTuple::new(py, &*self.numbers)?.unbind();
        Ok(self.made.get_or_init(|| made).bind(py).clone())
    }
}

/// Declares models of lists of numbers: `Name { field: KIND => "wireName", … }`.
macro_rules! packed {
    ($(
        $(#[$about:meta])*
        $name:ident { $($(#[$doc:meta])* $field:ident : $kind:expr => $wire:literal,)* }
    )*) => {$(
        $(#[$about])*
        #[pyclass(frozen, mapping, weakref, module = "opencomputer_usage")]
        pub struct $name {
            $(pub $field: Packed,)*
        }

        impl Model for $name {
            const FIELDS: &'static [Field] = &[$(Field::new(stringify!($field), $wire, $kind)),*];

            fn values<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
                Ok(vec![$(self.$field.tuple(py)?.into_any()),*])
            }
        }

        model_methods! {
            impl $name {
                #[new]
                fn of(py: Python<'_>, $($field: Py<PyAny>),*) -> PyResult<Self> {
                    let mut fields = Self::FIELDS.iter();
                    $(let $field: Vec<f64> = checked(py, &mut fields, $field)?.extract(py)?;)*
                    Ok(Self { $($field: $field.into()),* })
                }

                $(
                    $(#[$doc])*
                    #[getter]
                    fn $field<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
                        self.$field.tuple(py)
                    }
                )*
            }
        }
    )*};
}
pub(crate) use packed;
