//! The types of responses, the union of error codes and the limits of the npm package.

use anyhow::{Context as _, Result, ensure};
use opencomputer_usage_core::Code;
use opencomputer_usage_core::limits::{RESERVED_KEY_PREFIX, TABLE};
use opencomputer_usage_core::wire::describe::{Description, MemberDescription, Presence};
use opencomputer_usage_core::wire::shape::Shape;

use super::MARK;
use super::text::{described, name, sentences};

/// The wire types that the package exports.
const NAMES: [&str; 15] = [
    "UsageTotals",
    "UsageSeries",
    "UsageBucket",
    "UntaggedUsage",
    "TagUsageItem",
    "GroupUsageItem",
    "SandboxUsageItem",
    "SandboxUsage",
    "SandboxUsageTotals",
    "UsagePoint",
    "TagKey",
    "TagValue",
    SANDBOX_TAGS,
    "Sandbox",
    "TagViolation",
];

/// The body of a sandbox's tags. The client adds the entity tag to it.
const SANDBOX_TAGS: &str = "SandboxTagsBody";

const PRELUDE: &str = r#"
/** The status of a sandbox. The platform may send others. */
export type SandboxStatus = "running" | "hibernated" | "stopped" | "error" | (string & {});

/** The tags of a sandbox by their keys. */
export type TagMap = Record<string, string>;

/** The value of each dimension that was grouped by; null where the sandboxes lack it. */
export type GroupValues = Readonly<Record<string, string | null>>;

/** Allocated and measured memory, and their ratio. */
export type Measured<Memory> = Memory & {
  /** Measured memory over allocated memory; null without samples. */
  readonly usedFraction: number | null;
};
"#;

/// The types to which the client adds the ratio of their members.
const MEASURED: [&str; 2] = ["SandboxUsageTotals", "UsagePoint"];

/// The entity tag comes in a header; the client adds it to the tags.
const ETAG: MemberDescription = MemberDescription {
    field: "etag",
    name: "etag",
    docs: "The entity tag, for {@link condition}; null if the server sent none.",
    shape: Shape::Nullable(&Shape::Text),
    object: None,
    presence: Presence::Required,
};

/// Returns the types of responses and the union of error codes.
///
/// They are those without an interval. The package's own types add the members of the others.
pub fn types() -> Result<String> {
    let mut out = format!("// {MARK}\n{PRELUDE}");
    for wire in NAMES {
        let description = described(wire)?;
        let name = name(description);
        out += &format!("\n{}export interface {name} {{\n", comment("", &translated(description.docs)));
        let sent = description.members.iter().filter(|member| member.presence != Presence::WithInterval);
        for member in sent.chain((wire == SANDBOX_TAGS).then_some(&ETAG)) {
            out += &declared(description, member)?;
        }
        out += "}\n";
    }
    out += "\n/** The limits of the API. */\nexport interface Limits {\n";
    for limit in TABLE {
        out += &format!("{}  readonly {}: number;\n", comment("  ", limit.docs.trim()), limit.name);
    }
    let codes: String = Code::ALL.iter().map(|code| format!("\n  | \"{}\"", code.as_str())).collect();
    out += &format!("}}\n\n/** The error codes of the API. */\nexport type ErrorCode ={codes};\n");
    Ok(out)
}

/// Returns the limits as values that need no module.
pub fn limits() -> String {
    let limits: String = TABLE.iter().map(|limit| format!("  {}: {},\n", limit.name, limit.value)).collect();
    format!(
        "// {MARK}\n\n/** The limits of the API. */\nexport const limits = {{\n{limits}}} as const;\n\n\
         /** The prefix of system tag keys. */\nexport const reservedKeyPrefix = \"{RESERVED_KEY_PREFIX}\";\n"
    )
}

fn declared(description: &Description, member: &MemberDescription) -> Result<String> {
    let (shape, mark) = match (&member.shape, member.presence) {
        (Shape::Nullable(shape), Presence::Omitted) => (*shape, "?"),
        (shape, _) => (shape, ""),
    };
    let kind = match (member.name, shape) {
        ("status", Shape::Text) => "SandboxStatus".to_owned(),
        _ => kind(shape, member).with_context(|| format!("{}.{}", description.name, member.name))?,
    };
    Ok(format!("{}  readonly {}{mark}: {kind};\n", comment("  ", &translated(member.docs)), member.name))
}

fn kind(shape: &Shape, member: &MemberDescription) -> Result<String> {
    Ok(match shape {
        Shape::Number | Shape::Count => "number".to_owned(),
        Shape::Text | Shape::Time => "string".to_owned(),
        Shape::Tags => "TagMap".to_owned(),
        Shape::Group => "GroupValues".to_owned(),
        Shape::Flag => "boolean".to_owned(),
        Shape::Nullable(shape) => format!("{} | null", kind(shape, member)?),
        Shape::List(shape) => format!("{}[]", kind(shape, member)?),
        Shape::Object(_) => {
            let object = member.object.context("an object has no description")?;
            ensure!(NAMES.contains(&object.name), "{} is not exported", object.name);
            match name(object) {
                measured if MEASURED.contains(&measured) => format!("Measured<{measured}>"),
                name => name.to_owned(),
            }
        }
    })
}

fn translated(docs: &str) -> String {
    sentences(docs).replace("`None`", "null")
}

/// Formats a doc comment on as many lines as it needs.
fn comment(indent: &str, text: &str) -> String {
    const WIDTH: usize = 120;
    let line = format!("{indent}/** {text} */\n");
    if line.chars().count() <= WIDTH {
        return line;
    }
    let mut out = format!("{indent}/**\n{indent} *");
    let mut width = indent.len() + 2;
    for word in text.split(' ') {
        if width + 1 + word.chars().count() > WIDTH {
            out += &format!("\n{indent} *");
            width = indent.len() + 2;
        }
        out += " ";
        out += word;
        width += 1 + word.chars().count();
    }
    out + &format!("\n{indent} */\n")
}
