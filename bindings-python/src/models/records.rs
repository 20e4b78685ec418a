//! The models that are not responses.

use opencomputer_usage_core::host::functions;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;

use crate::models::convert::{IntoPython, Made};
use crate::models::field::{Field, Kind, NUMBER, TEXT};
use crate::models::model::{Model, checked, model_methods, models, none};

models! {
    /// A dimension to group by, or several.
    GroupBy {
        /// `tag`, `sandbox`, `template`, `region` or `status`; `dimensions` for several.
        kind: TEXT => "kind",
        /// The key of the tag; None for other dimensions.
        key = none: TEXT.maybe() => "key" (optional),
        /// The dimensions, if there are several.
        dimensions = none: Kind::many::<GroupBy>() => "dimensions" (optional),
    }

    /// The content of a cursor. `s`, `from_`, `to`, `as_of` and `q` are either all set or all None.
    Cursor {
        /// Sort value of the last item of the page, GB-seconds.
        v: NUMBER => "v",
        /// Sandbox id or tag value of that item.
        t: TEXT => "t",
        /// The exact sort value as a decimal integer, MB times µs.
        s = none: TEXT.maybe() => "s" (optional),
        /// Start of the window.
        from_ = none: TEXT.maybe() => "from" (optional),
        /// End of the window.
        to = none: TEXT.maybe() => "to" (optional),
        /// The instant at which running sandboxes were measured.
        as_of = none: TEXT.maybe() => "asOf" (optional),
        /// Digest of the query.
        q = none: TEXT.maybe() => "q" (optional),
    }
}

impl IntoPython for functions::GroupBy {
    fn into_python(self, py: Python<'_>) -> Made {
        match self {
            Self::One(dimension) => dimension.into_python(py),
            Self::Several(dimensions) => {
                let kind = "dimensions".into_py_any(py)?;
                GroupBy::new(kind, py.None(), dimensions.into_python(py)?).into_py_any(py)
            }
        }
    }
}

impl IntoPython for functions::Dimension {
    fn into_python(self, py: Python<'_>) -> Made {
        let none = Vec::<Self>::new().into_python(py)?;
        GroupBy::new(self.kind.into_py_any(py)?, self.key.into_python(py)?, none).into_py_any(py)
    }
}
