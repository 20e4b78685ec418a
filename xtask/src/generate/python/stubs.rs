//! The stubs of the models and the literal of error codes, formatted as ruff formats them.

use anyhow::Result;
use opencomputer_usage_core::Code;

use super::model::{Field, Form, Kind, MODELS, Members, Model, has_measured_memory, limits};
use crate::generate::MARK;

const PAGE: &str = "    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...
    @classmethod
    def from_json(cls, body: str | bytes | bytearray | memoryview, /) -> Self: ...
";

/// Returns the stubs of the models.
pub fn stubs() -> Result<String> {
    let mut out = String::new();
    for model in MODELS {
        out += &stub(model)?;
    }
    out += &class("Limits", "_Model", "@final", &limits(), "");
    let names: String = all_names()?.iter().map(|name| format!("    \"{name}\",\n")).collect();
    out += &format!("__all__ += [\n{names}]\n");
    Ok(out)
}

/// Returns the module that exports the models.
pub fn exports() -> Result<String> {
    let names: Vec<_> =
        all_names()?.into_iter().filter(|name| !MODELS.iter().any(|model| is_base(model, name))).collect();
    let list = |item: fn(&str) -> String| names.iter().map(|name| item(name)).collect::<String>();
    let (imports, all) = (list(|name| format!("    {name},\n")), list(|name| format!("    \"{name}\",\n")));
    Ok(format!(
        "# {MARK}\n\"\"\"The models of responses.\"\"\"\n\nfrom ._core import (\n{imports})\n\n__all__ = [\n{all}]\n"
    ))
}

/// Returns whether a class is the base class of pages, which users have no need to name.
fn is_base(model: &Model, class: &str) -> bool {
    matches!(model.form, Form::Page { class: base, .. } if base == class)
}

fn all_names() -> Result<Vec<&'static str>> {
    let mut names = MODELS.iter().map(Model::class).collect::<Result<Vec<_>>>()?;
    names.push("Limits");
    names.sort_unstable();
    Ok(names)
}

/// Returns the literal of error codes.
pub fn codes() -> String {
    let codes: String = Code::ALL.iter().map(|code| format!("    \"{}\",\n", code.as_str())).collect();
    format!(
        "# {MARK}\n\"\"\"The error codes of the API.\"\"\"\n\nfrom typing import Literal, TypeAlias\n\n\
         ErrorCode: TypeAlias = Literal[\n{codes}]\n\"\"\"The code of an error. Servers may add codes.\"\"\"\n"
    )
}

fn stub(model: &Model) -> Result<String> {
    let fields = model.fields()?;
    let mut extra = String::new();
    let property = |name: &str, kind: &str| format!("    @property\n    def {name}(self) -> {kind}: ...\n");
    if model.is_page() {
        extra += &property("_fetch", "Any");
    }
    for field in fields.iter().filter(|field| matches!(field.kind, Kind::Tags)) {
        extra += &property("user_tags", &field.read());
    }
    for field in &fields {
        if let Some(name) = field.datetime() {
            extra += &property(&name, &field.read().replace("str", "datetime"));
        }
    }
    if has_measured_memory(&fields) || fields.iter().any(Field::is_measured) {
        extra += &property("used_fraction", "float | None");
    }
    if model.is_generic() {
        extra += "    @classmethod\n    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...\n";
    }
    if let Members::WireAndEtag = model.members {
        extra += "    def condition(self) -> str: ...\n";
    }
    if model.is_page() {
        extra += PAGE;
    }
    // Pages have subclasses.
    let decorator = if model.is_page() { "@disjoint_base" } else { "@final" };
    let name = model.class()?;
    let base = if model.is_generic() { "_Model, Generic[_SeriesT_co]" } else { "_Model" };
    Ok(class(name, base, decorator, &fields, &extra))
}

impl Field {
    /// Returns the type that the constructor takes.
    fn taken(&self) -> String {
        let kind = match self.kind {
            Kind::Tags => "Mapping[str, str]".to_owned(),
            Kind::Group => "Mapping[str, str | None]".to_owned(),
            Kind::Numbers => "Iterable[float]".to_owned(),
            Kind::Models(_) => format!("Iterable[{}]", self.plain()),
            _ => self.plain(),
        };
        self.or_none(kind)
    }

    /// Returns the type that the attribute has.
    fn read(&self) -> String {
        let kind = match self.kind {
            Kind::Tags => "Tags".to_owned(),
            Kind::Numbers => "tuple[float, ...]".to_owned(),
            Kind::Models(_) => format!("tuple[{}, ...]", self.plain()),
            _ => self.plain(),
        };
        self.or_none(kind)
    }

    fn plain(&self) -> String {
        let name = match self.kind {
            Kind::Text | Kind::Time => "str",
            Kind::Number | Kind::Numbers => "float",
            Kind::Count => "int",
            Kind::Flag => "bool",
            Kind::Model("UsageSeries") => "_SeriesT_co",
            Kind::Model(class) | Kind::Models(class) if is_generic(class) => return format!("{class}[_SeriesT_co]"),
            Kind::Model(class) | Kind::Models(class) => class,
            Kind::Tags => "Tags",
            Kind::Group => "Group",
        };
        name.to_owned()
    }

    fn or_none(&self, kind: String) -> String {
        // The type of a series says whether there is one.
        if self.is_nullable && kind != "_SeriesT_co" { format!("{kind} | None") } else { kind }
    }
}

fn is_generic(class: &str) -> bool {
    MODELS.iter().any(|model| model.is_generic() && model.class().is_ok_and(|name| name == class))
}

fn class(name: &str, base: &str, decorator: &str, fields: &[Field], extra: &str) -> String {
    let names: Vec<_> = fields.iter().map(|field| format!("\"{}\"", field.name)).collect();
    let parameter =
        |field: &Field| format!("{}: {}{}", field.name, field.taken(), if field.is_optional { " = ..." } else { "" });
    let mut parameters: Vec<_> = ["cls".to_owned()].into_iter().chain(fields.iter().map(parameter)).collect();
    if extra.contains(" _fetch(") {
        parameters.push("_fetch: Any = ...".to_owned());
    }
    let mut out = format!("{decorator}\nclass {name}({base}):\n");
    out += &wrapped("    __match_args__ = (", &names, ")\n", false);
    out += &wrapped("    def __new__(", &parameters, ") -> Self: ...\n", true);
    for field in fields {
        out += &format!("    @property\n    def {}(self) -> {}: ...\n", field.name, field.read());
    }
    format!("{out}{extra}\n")
}

/// Formats a list in brackets: on one line if it fits, else (if allowed) on a line of its own, else one item per line.
fn wrapped(open: &str, items: &[String], close: &str, may_stand_alone: bool) -> String {
    const WIDTH: usize = 120;
    let all = items.join(", ");
    let line = format!("{open}{all}{close}");
    if line.trim_end().len() <= WIDTH {
        return line;
    }
    if may_stand_alone && 8 + all.len() <= WIDTH {
        return format!("{open}\n        {all}\n    {close}");
    }
    let items: String = items.iter().map(|item| format!("        {item},\n")).collect();
    format!("{open}\n{items}    {close}")
}
