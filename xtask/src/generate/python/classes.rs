//! The classes of the models in Rust, and the conversions of the core's values to them.

use anyhow::Result;
use opencomputer_usage_core::wire::reply::Reply;

use super::model::{Field, Form, Kind, MODELS, Members, Model, about, has_measured_memory, limits};
use crate::generate::MARK;
use crate::generate::text::described;

const PRELUDE: &str = "//! The models of responses. Amounts are GB-seconds (1 GB = 1024 MB), times are RFC 3339 in UTC.

use opencomputer_usage_core::client::{self, Reply};
use opencomputer_usage_core::wire::used_fraction;
use opencomputer_usage_core::{limits, wire};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple, PyType};

use crate::decode::answer::{self, SandboxesPage, Value};
use crate::decode::source::{Item, Source};
use crate::errors::{raised, undecodable};
use crate::models::convert::{IntoPython, Made, fields};
use crate::models::field::{COUNT, FLAG, Field, GROUP, Kind, NUMBER, NUMBERS, TAGS, TEXT, TIME};
use crate::models::lazy::{Cached, Eager, Encoded, Fresh, Shared, Slot, lazy};
use crate::models::model::{Datetime, Model, checked, datetime, generic_alias, model_methods, models, none, register};
use crate::models::packed::{Packed, packed};
use crate::models::page::{Items, MORE_PAGES, bytes, pages};
use crate::models::table::Table;
use crate::models::tags;
";

/// Returns the module of the classes.
pub fn classes() -> Result<String> {
    let [mut records, mut packed, mut pages, mut lazy, mut conversions] = [const { String::new() }; 5];
    let mut names = Vec::new();
    for model in MODELS {
        let (class, fields) = (model.class()?, model.fields()?);
        let about = match model.members {
            Members::Listed(_) => "A page of a list.".to_owned(),
            _ => about(described(model.wire)?),
        };
        let about = comment("    ", &about);
        let own = methods(model, &fields);
        match model.form {
            Form::Record => {
                records += &format!("\n{about}    {class} {{\n{}    }} + {{\n{own}    }}\n", list(&fields, ""));
            }
            Form::Packed => packed += &format!("\n{about}    {class} {{\n{}    }}\n", list(&fields, "")),
            Form::Lazy(slots) => {
                let declared = fields.iter().map(|field| {
                    let slot = slots.iter().find(|(name, _)| *name == field.name).map_or("Fresh", |(_, slot)| slot);
                    declared(field, &format!("{slot}, "))
                });
                let declared: String = declared.collect();
                lazy += &format!("\nlazy! {{\n{about}    {class} {{\n{declared}    }} + {{\n{own}    }}\n}}\n");
            }
            Form::Page { reply, .. } => {
                pages += &format!("\n{about}    {class} ({reply})\n{}    + {{\n{own}    }}\n", parts(&fields));
            }
        }
        conversions += &conversion(model, class, &fields);
        names.push(class);
    }
    let limits = limits();
    records += &format!("\n    /// The limits of the API.\n    Limits {{\n{}    }}\n", list(&limits, ""));
    let rows: String = limits.iter().map(|field| format!("        number(\"{}\")?,\n", field.wire)).collect();
    conversions += &format!(
        "
/// Returns the limits from the core's table.
fn limits(py: Python<'_>) -> PyResult<Limits> {{
    let number = |name| {{
        let known = limits::TABLE.iter().find(|limit| limit.name == name).map(|limit| limit.value as u64);
        known.into_python(py)
    }};
    Ok(Limits::new(
{rows}    ))
}}
"
    );
    names.push("Limits");
    Ok(format!(
        "// {MARK}\n{PRELUDE}\nmodels! {{{records}}}\n\npacked! {{{packed}}}\n{lazy}\npages! {{{pages}}}\n{conversions}{}{}",
        results(),
        module(&names)
    ))
}

/// Returns the declarations of fields.
fn list(fields: &[Field], slot: &str) -> String {
    fields.iter().map(|field| declared(field, slot)).collect()
}

fn declared(field: &Field, slot: &str) -> String {
    let default = if field.is_optional { " = none" } else { "" };
    let how = match field.needs {
        Some(other) if other == field.name => " (optional)".to_owned(),
        Some(other) => format!(" (with \"{other}\")"),
        None => String::new(),
    };
    let (name, kind, wire) = (&field.name, kind(field), field.wire);
    format!("{}        {name}{default}: {slot}{kind} => \"{wire}\"{how},\n", comment("        ", &field.docs))
}

/// Returns the three parts of a page: fields, items with the cursor, and optional fields.
fn parts(fields: &[Field]) -> String {
    let is_own = |field: &&Field| matches!(&*field.name, "items" | "next_cursor");
    let (optional, required): (Vec<_>, Vec<_>) =
        fields.iter().filter(|field| !is_own(field)).partition(|field| field.is_optional);
    let declared = |fields: Vec<&Field>| fields.into_iter().map(|field| declared(field, "")).collect::<String>();
    let own = fields.iter().filter(is_own).map(|field| {
        let kind = match field.kind {
            Kind::Models(class) => class.to_owned(),
            _ => kind(field),
        };
        format!("{}        {}: {kind} => \"{}\",\n", comment("        ", &field.docs), field.name, field.wire)
    });
    let own: String = own.collect();
    format!("    {{\n{}    }}\n    {{\n{own}    }}\n    {{\n{}    }}\n", declared(required), declared(optional))
}

fn kind(field: &Field) -> String {
    let kind = match field.kind {
        Kind::Text => "TEXT".to_owned(),
        Kind::Time => "TIME".to_owned(),
        Kind::Number => "NUMBER".to_owned(),
        Kind::Count => "COUNT".to_owned(),
        Kind::Numbers => "NUMBERS".to_owned(),
        Kind::Flag => "FLAG".to_owned(),
        Kind::Tags => "TAGS".to_owned(),
        Kind::Group => "GROUP".to_owned(),
        Kind::Model(class) => format!("Kind::one::<{class}>()"),
        Kind::Models(class) => format!("Kind::many::<{class}>()"),
    };
    if field.is_nullable { kind + ".maybe()" } else { kind }
}

/// Returns the members of a class besides its fields.
fn methods(model: &Model, fields: &[Field]) -> String {
    let mut out = String::new();
    // The value of a field: an object that the model holds, or one that is created now.
    let value = |name: &str| match model.form {
        Form::Lazy(_) => format!("self.{name}(py)?.bind(py)"),
        _ => format!("self.{name}.bind(py)"),
    };
    for field in fields.iter().filter(|field| matches!(field.kind, Kind::Tags)) {
        out += &format!(
            "        /// The tags that you can write back: all tags except system tags.\n        #[getter]\n        \
             fn user_tags(&self, py: Python<'_>) -> Made {{ tags::of_user({}) }}\n",
            value(&field.name)
        );
    }
    for field in fields {
        if let Some(name) = field.datetime() {
            out += &format!(
                "        /// `{}` as an aware datetime.\n        #[getter]\n        \
                 fn {name}<'py>(&self, py: Python<'py>) -> Datetime<'py> {{ datetime({}) }}\n",
                field.name,
                value(&field.name)
            );
        }
    }
    if has_measured_memory(fields) {
        out += USED_FRACTION;
    }
    for field in fields.iter().filter(|field| field.is_measured()) {
        out += &format!(
            "{USED_FRACTION_OF}            let {0} = self.{0}.bind(py);\n            if {0}.is_none() {{ Ok(None) }} else {{ {0}.getattr(\"used_fraction\")?.extract() }}\n        }}\n",
            field.name
        );
    }
    if model.is_generic() {
        out += GENERIC;
    }
    if let Members::WireAndEtag = model.members {
        out += CONDITION;
    }
    out
}

const USED_FRACTION: &str = "        /// Measured memory as a fraction of allocated memory; None without samples.
        #[getter]
        fn used_fraction(&self, py: Python<'_>) -> PyResult<Option<f64>> {
            Ok(used_fraction(self.memory_used_gb_seconds.extract(py)?, self.memory_allocated_gb_seconds.extract(py)?))
        }
";

const USED_FRACTION_OF: &str = "        /// Measured memory as a fraction of allocated memory; None without samples.
        #[getter]
        fn used_fraction(&self, py: Python<'_>) -> PyResult<Option<f64>> {
";

const GENERIC: &str = "        /// Returns the class itself. In an annotation, the parameter is the type of its series.
        #[classmethod]
        #[pyo3(signature = (item, /))]
        fn __class_getitem__<'py>(cls: &Bound<'py, PyType>, item: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
            generic_alias(cls, item)
        }
";

const CONDITION: &str = "        /// Returns the etag for `if_match`, which makes a write depend on these tags.
        ///
        /// Raises:
        ///     UnsupportedByServerError: If the server sent no etag, so the write would be unconditional.
        fn condition(&self, py: Python<'_>) -> PyResult<String> {
            let state = client::SandboxTags { etag: self.etag.extract(py)?, ..client::SandboxTags::default() };
            state.condition().map(str::to_owned).map_err(raised)
        }
";

/// Returns how the core's value becomes a model, or the fields of a page.
fn conversion(model: &Model, class: &str, all: &[Field]) -> String {
    let converted = |field: &Field, owner: &str| {
        let has_default = field.needs.is_some() && matches!(field.kind, Kind::Models(_) | Kind::Flag);
        let default = if has_default { ".unwrap_or_default()" } else { "" };
        format!("            {owner}.{}{default}.into_python(py)?,\n", field.core)
    };
    let of = |owner: &str| all.iter().map(|field| converted(field, owner)).collect::<String>();
    let wire = format!("wire::{}", model.wire);
    match model.form {
        Form::Lazy(_) => String::new(),
        Form::Packed => format!(
            "
impl IntoPython for {wire} {{
    fn into_python(self, py: Python<'_>) -> Made {{
        let model = {class} {{
{}        }};
        Ok(Py::new(py, model)?.into_any())
    }}
}}
",
            all.iter().map(|field| format!("            {0}: self.{0}.into(),\n", field.core)).collect::<String>(),
        ),
        Form::Record => format!(
            "
impl IntoPython for {} {{
    fn into_python(self, py: Python<'_>) -> Made {{
        let model = {class}::new(
{}        );
        Ok(Py::new(py, model)?.into_any())
    }}
}}
",
            model.core.unwrap_or(&wire),
            of("self"),
        ),
        Form::Page { is_lazy: false, .. } => format!(
            "
impl IntoPython for {} {{
    fn into_python(self, py: Python<'_>) -> Made {{
        fields(py, [
{}        ])
    }}
}}
",
            model.core.unwrap_or(&wire),
            of("self"),
        ),
        Form::Page { is_lazy: true, .. } => format!(
            "
impl IntoPython for SandboxesPage {{
    fn into_python(self, py: Python<'_>) -> Made {{
        let Self(page, items) = self;
        fields(py, [
{}        ])
    }}
}}
",
            of("page").replace("page.items", "items"),
        ),
    }
}

/// Returns how the result of a call becomes a Python object.
fn results() -> String {
    let arms: String = Reply::ALL
        .iter()
        .map(|reply| format!("            Self::{reply:?}(result) => result.into_result(py),\n"))
        .collect();
    format!(
        "
impl IntoPython for Value {{
    fn into_python(self, py: Python<'_>) -> Made {{
        match self {{
{arms}        }}
    }}
}}
"
    )
}

/// Returns the function that adds the classes to the module.
fn module(names: &[&str]) -> String {
    let added: String = names.iter().map(|name| format!("    module.add_class::<{name}>()?;\n")).collect();
    let fields: String = names.iter().map(|name| format!("        (\"{name}\", {name}::FIELDS),\n")).collect();
    format!(
        "
/// Adds the classes and the limits to the module.
pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {{
    register(&[
{fields}    ]);
{added}    module.add(\"LIMITS\", limits(module.py())?)
}}
"
    )
}

/// Formats a doc comment on as many lines as it needs.
fn comment(indent: &str, text: &str) -> String {
    const WIDTH: usize = 120;
    let mut out = format!("{indent}///");
    let mut width = indent.len() + 3;
    for word in text.split(' ') {
        if width + 1 + word.chars().count() > WIDTH {
            out += &format!("\n{indent}///");
            width = indent.len() + 3;
        }
        out += " ";
        out += word;
        width += 1 + word.chars().count();
    }
    out + "\n"
}
