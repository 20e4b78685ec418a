//! The stubs of the models and the literal of error codes of the Python package, formatted as ruff formats them.

use anyhow::{Context as _, Result, ensure};
use opencomputer_usage_core::Code;
use opencomputer_usage_core::limits::TABLE;
use opencomputer_usage_core::wire::describe::{MemberDescription, Presence};
use opencomputer_usage_core::wire::shape::Shape;

use super::MARK;
use super::text::{described, name};

/// A model of a wire type.
struct Model {
    wire: &'static str,
    /// The fields that come first, if that is not the order of the wire.
    first: &'static [&'static str],
    /// Fields that a caller may leave out, and that therefore come last.
    optional: &'static [&'static str],
    /// The members of its class besides fields.
    extra: &'static str,
    /// The name of the class that the package's page classes inherit from, if it is a page.
    page: Option<&'static str>,
}

const MODEL: Model = Model { wire: "", first: &[], optional: &[], extra: "", page: None };

const TOTALS: [&str; 2] = ["memory_gb_seconds", "disk_overage_gb_seconds"];

/// The body of a sandbox's tags. The client adds the entity tag to it.
const SANDBOX_TAGS: &str = "SandboxTagsBody";

const MODELS: [Model; 13] = [
    Model { wire: "TagViolation", ..MODEL },
    Model { wire: "UsageTotals", ..MODEL },
    Model { wire: "UntaggedUsage", ..MODEL },
    Model { wire: "TagUsageItem", ..MODEL },
    Model { wire: "SandboxUsageTotals", ..MODEL },
    Model { wire: "UsagePoint", ..MODEL },
    Model { wire: "SandboxUsage", optional: &["totals", "points"], ..MODEL },
    Model { wire: "TagKey", ..MODEL },
    Model { wire: SANDBOX_TAGS, extra: "    def condition(self) -> str: ...\n", ..MODEL },
    Model { wire: "Sandbox", ..MODEL },
    Model { wire: "SandboxUsageItem", first: &["sandbox_id", TOTALS[0], TOTALS[1]], ..MODEL },
    Model { wire: "TagUsagePage", page: Some("TagUsage"), extra: PAGE, ..MODEL },
    Model { wire: "SandboxUsagePage", page: Some("SandboxesUsage"), extra: PAGE, ..MODEL },
];

const PAGE: &str = "    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...
    @classmethod
    def from_json(cls, body: str | bytes | bytearray | memoryview, /) -> Self: ...
";

/// A field of a model.
struct Field {
    name: String,
    /// The type that the constructor takes.
    taken: String,
    /// The type that the attribute has.
    read: String,
    is_optional: bool,
    is_time: bool,
}

impl Field {
    fn new(name: &str, kind: &str) -> Self {
        let [taken, read] = [kind; 2].map(str::to_owned);
        Self { name: name.to_owned(), taken, read, is_optional: false, is_time: false }
    }
}

/// Returns the stubs of the models.
pub fn models() -> Result<String> {
    let mut out = String::new();
    for model in &MODELS {
        out += &stub(model).with_context(|| model.wire.to_owned())?;
    }
    let limits: Vec<_> = TABLE.iter().map(|limit| Field::new(&snake_case(limit.name), "int")).collect();
    out += &class("Limits", "@final", &limits, "");
    Ok(out)
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
    let mut fields = Vec::new();
    let description = described(model.wire)?;
    for member in description.members.iter().filter(|member| member.presence != Presence::WithInterval) {
        fields.push(field(model, member)?);
    }
    for name in model.first.iter().chain(model.optional) {
        ensure!(fields.iter().any(|field| field.name == *name), "no field `{name}`");
    }
    let place = |field: &Field| {
        let first = model.first.iter().position(|name| *name == field.name);
        let last = model.optional.iter().position(|name| *name == field.name);
        (field.is_optional, first.unwrap_or(model.first.len()), last.map_or(0, |place| place + 1))
    };
    fields.sort_by_key(place);
    if model.wire == SANDBOX_TAGS {
        fields.push(Field::new("etag", "str | None"));
    }
    let mut extra = String::new();
    if model.page.is_some() {
        let fetch = Field { is_optional: true, ..Field::new("_fetch", "Any") };
        fields.push(fetch);
    }
    let property = |name: &str, kind: &str| format!("    @property\n    def {name}(self) -> {kind}: ...\n");
    for field in fields.iter().filter(|field| field.read.starts_with("Tags")) {
        extra += &property("user_tags", &field.read);
    }
    for field in fields.iter().filter(|field| field.is_time) {
        let name = field.name.strip_suffix("_at").unwrap_or(&field.name).trim_end_matches('_');
        extra += &property(&format!("{name}_datetime"), &field.read.replace("str", "datetime"));
    }
    // Pages have subclasses.
    let decorator = if model.page.is_some() { "@disjoint_base" } else { "@final" };
    Ok(class(model.page.unwrap_or_else(|| name(description)), decorator, &fields, &(extra + model.extra)))
}

fn field(model: &Model, member: &MemberDescription) -> Result<Field> {
    let name = if member.field == "from" { "from_" } else { member.field };
    let kind = |is_taken| kind(&member.shape, member, is_taken).with_context(|| name.to_owned());
    let shape = match &member.shape {
        Shape::Nullable(shape) => *shape,
        shape => shape,
    };
    Ok(Field {
        name: name.to_owned(),
        taken: kind(true)?,
        read: kind(false)?,
        is_optional: member.presence == Presence::Omitted || model.optional.contains(&name),
        is_time: matches!(shape, Shape::Time | Shape::Nullable(Shape::Time)),
    })
}

fn kind(shape: &Shape, member: &MemberDescription, is_taken: bool) -> Result<String> {
    Ok(match shape {
        Shape::Number => "float".to_owned(),
        Shape::Count => "int".to_owned(),
        Shape::Text | Shape::Time => "str".to_owned(),
        Shape::Tags => if is_taken { "Mapping[str, str]" } else { "Tags" }.to_owned(),
        Shape::Flag => "bool".to_owned(),
        Shape::Group => if is_taken { "Mapping[str, str | None]" } else { "dict[str, str | None]" }.to_owned(),
        Shape::Nullable(Shape::Nullable(shape) | shape) => {
            format!("{} | None", kind(shape, member, is_taken)?)
        }
        Shape::List(shape) => {
            let item = kind(shape, member, is_taken)?;
            if is_taken { format!("Iterable[{item}]") } else { format!("tuple[{item}, ...]") }
        }
        Shape::Object(_) => {
            let object = member.object.context("an object has no description")?;
            ensure!(MODELS.iter().any(|model| model.wire == object.name), "no model of {}", object.name);
            name(object).to_owned()
        }
    })
}

fn class(name: &str, decorator: &str, fields: &[Field], extra: &str) -> String {
    let names: Vec<_> =
        fields.iter().filter(|field| field.name != "_fetch").map(|field| format!("\"{}\"", field.name)).collect();
    let parameter =
        |field: &Field| format!("{}: {}{}", field.name, field.taken, if field.is_optional { " = ..." } else { "" });
    let parameters: Vec<_> = ["cls".to_owned()].into_iter().chain(fields.iter().map(parameter)).collect();
    let mut out = format!("{decorator}\nclass {name}(_Model):\n");
    out += &wrapped("    __match_args__ = (", &names, ")\n", false);
    out += &wrapped("    def __new__(", &parameters, ") -> Self: ...\n", true);
    for field in fields {
        out += &format!("    @property\n    def {}(self) -> {}: ...\n", field.name, field.read);
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

fn snake_case(camel_case: &str) -> String {
    camel_case.chars().fold(String::new(), |name, c| {
        let separator = if c.is_ascii_uppercase() { "_" } else { "" };
        format!("{name}{separator}{}", c.to_ascii_lowercase())
    })
}
