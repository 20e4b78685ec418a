//! Models whose fields stay encoded until they are read.

use std::sync::OnceLock;

use opencomputer_usage_core::wire;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;

use crate::decode::source::{Moment, Range, Source, Span, Writer};
use crate::models::convert::{IntoPython as _, Made};
use crate::models::tags;

/// A part of an item that refers to the text of its page.
pub trait Encoded: Sized {
    /// Creates the Python object.
    fn read(&self, source: &Source, py: Python<'_>) -> Made;

    /// Creates the Python object, or returns one that was created for another item. Pays for values that repeat.
    fn read_shared(&self, source: &Source, py: Python<'_>) -> Made {
        self.read(source, py)
    }

    /// Encodes a Python object that was checked.
    fn write(value: &Bound<'_, PyAny>, writer: &mut Writer) -> PyResult<Self>;
}

impl Encoded for f64 {
    fn read(&self, _: &Source, py: Python<'_>) -> Made {
        self.into_py_any(py)
    }

    fn write(value: &Bound<'_, PyAny>, _: &mut Writer) -> PyResult<Self> {
        value.extract()
    }
}

impl Encoded for Span {
    fn read(&self, source: &Source, py: Python<'_>) -> Made {
        source.string(py, *self)?.into_py_any(py)
    }

    fn read_shared(&self, source: &Source, py: Python<'_>) -> Made {
        source.shared_string(py, *self)?.into_py_any(py)
    }

    fn write(value: &Bound<'_, PyAny>, writer: &mut Writer) -> PyResult<Self> {
        writer.string(&value.extract::<String>()?)
    }
}

impl Encoded for Moment {
    fn read(&self, source: &Source, py: Python<'_>) -> Made {
        self.0.read(source, py)
    }

    fn write(value: &Bound<'_, PyAny>, writer: &mut Writer) -> PyResult<Self> {
        Span::write(value, writer).map(Self)
    }
}

impl Encoded for Range {
    fn read(&self, source: &Source, py: Python<'_>) -> Made {
        tags::of_range(py, source, *self)
    }

    fn write(value: &Bound<'_, PyAny>, writer: &mut Writer) -> PyResult<Self> {
        tags::write(value, writer)
    }
}

impl Encoded for wire::UsageSeries {
    fn read(&self, _: &Source, py: Python<'_>) -> Made {
        self.clone().into_python(py)
    }

    fn write(value: &Bound<'_, PyAny>, _: &mut Writer) -> PyResult<Self> {
        Ok(Self {
            memory_gb_seconds: value.getattr("memory_gb_seconds")?.extract()?,
            disk_overage_gb_seconds: value.getattr("disk_overage_gb_seconds")?.extract()?,
        })
    }
}

impl<T: Encoded> Encoded for Option<T> {
    fn read(&self, source: &Source, py: Python<'_>) -> Made {
        self.as_ref().map_or_else(|| Ok(py.None()), |value| value.read(source, py))
    }

    fn read_shared(&self, source: &Source, py: Python<'_>) -> Made {
        self.as_ref().map_or_else(|| Ok(py.None()), |value| value.read_shared(source, py))
    }

    fn write(value: &Bound<'_, PyAny>, writer: &mut Writer) -> PyResult<Self> {
        if value.is_none() { Ok(None) } else { T::write(value, writer).map(Some) }
    }
}

/// What an item keeps of a field, besides its encoded value.
pub trait Slot: Sized {
    /// Creates the slot of a field.
    fn new(value: &impl Encoded, source: &Source, py: Python<'_>) -> PyResult<Self>;

    /// Returns the Python object of the field.
    fn get(&self, value: &impl Encoded, source: &Source, py: Python<'_>) -> Made;
}

/// Creates the Python object with the item.
pub struct Eager(Py<PyAny>);

impl Slot for Eager {
    fn new(value: &impl Encoded, source: &Source, py: Python<'_>) -> PyResult<Self> {
        value.read(source, py).map(Self)
    }

    #[inline]
    fn get(&self, _: &impl Encoded, _: &Source, py: Python<'_>) -> Made {
        Ok(self.0.clone_ref(py))
    }
}

/// Creates the Python object when it is read first. Python's own lock would be released and taken once for each item.
pub struct Cached(OnceLock<Py<PyAny>>);

impl Slot for Cached {
    fn new(_: &impl Encoded, _: &Source, _: Python<'_>) -> PyResult<Self> {
        Ok(Self(OnceLock::new()))
    }

    fn get(&self, value: &impl Encoded, source: &Source, py: Python<'_>) -> Made {
        if let Some(made) = self.0.get() {
            return Ok(made.clone_ref(py));
        }
        let made = value.read(source, py)?;
        Ok(self.0.get_or_init(|| made).clone_ref(py))
    }
}

/// Creates the Python object each time.
pub struct Fresh;

impl Slot for Fresh {
    fn new(_: &impl Encoded, _: &Source, _: Python<'_>) -> PyResult<Self> {
        Ok(Self)
    }

    fn get(&self, value: &impl Encoded, source: &Source, py: Python<'_>) -> Made {
        value.read(source, py)
    }
}

/// Takes the Python object from those that other items have in common.
pub struct Shared;

impl Slot for Shared {
    fn new(_: &impl Encoded, _: &Source, _: Python<'_>) -> PyResult<Self> {
        Ok(Self)
    }

    fn get(&self, value: &impl Encoded, source: &Source, py: Python<'_>) -> Made {
        value.read_shared(source, py)
    }
}

/// Declares a model of an item of a [`Source`]: `Name { field: Slot, KIND => "wireName", … } + { its own methods }`.
macro_rules! lazy {
    (
        $(#[$about:meta])*
        $name:ident { $($(#[$doc:meta])* $field:ident $(= $default:ident)? : $slot:ident, $kind:expr => $wire:literal $(($how:ident))?,)* }
        + { $($own:tt)* }
    ) => {
        $(#[$about])*
        #[pyclass(frozen, mapping, weakref, module = "opencomputer_usage")]
        pub struct $name {
            source: Py<Source>,
            index: usize,
            $($field: $slot,)*
        }

        impl $name {
            /// Returns the item at an index of a page.
            pub fn new(py: Python<'_>, source: &Py<Source>, index: usize) -> PyResult<Self> {
                let held = source.get();
                let item = held.item(index)?;
                $(let $field = $slot::new(&item.$field, held, py)?;)*
                Ok(Self { source: source.clone_ref(py), index, $($field,)* })
            }
        }

        impl Model for $name {
            const FIELDS: &'static [Field] = &[$(lazy!(@field (stringify!($field), $wire, $kind) $($how)?)),*];

            fn of_source(py: Python<'_>, source: &Py<Source>, index: usize) -> PyResult<Py<PyAny>> {
                Ok(Py::new(py, Self::new(py, source, index)?)?.into_any())
            }

            fn values<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
                Ok(vec![$(self.$field(py)?.into_bound(py)),*])
            }
        }

        model_methods! {
            impl $name {
                #[new]
                #[pyo3(signature = ($($field $(= $default())?),*))]
                fn of(py: Python<'_>, $($field: Py<PyAny>),*) -> PyResult<Self> {
                    let mut fields = Self::FIELDS.iter();
                    $(let $field = checked(py, &mut fields, $field)?.into_bound(py);)*
                    let (source, item) = Source::written(|writer| {
                        Ok(Item { $($field: Encoded::write(&$field, writer)?),* })
                    })?;
                    Self::new(py, &Py::new(py, source.with_item(item))?, 0)
                }

                $(
                    $(#[$doc])*
                    #[getter]
                    fn $field(&self, py: Python<'_>) -> Made {
                        let source = self.source.get();
                        self.$field.get(&source.item(self.index)?.$field, source, py)
                    }
                )*

                $($own)*
            }
        }
    };
    (@field ($name:expr, $wire:expr, $kind:expr)) => { Field::new($name, $wire, $kind) };
    (@field ($name:expr, $wire:expr, $kind:expr) $how:ident) => { Field::$how($name, $wire, $kind) };
}
pub(crate) use lazy;
