//! The tables of the documentation of each endpoint.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use opencomputer_usage_core::operations::Endpoint;
use opencomputer_usage_core::wire::describe::{Description, MemberDescription, Presence};
use opencomputer_usage_core::wire::reply::Reply;
use opencomputer_usage_core::wire::shape::Shape;

use super::text::sentences_if_sent;
use super::{docs, openapi};

use Endpoint::{
    GetSandbox, GetSandboxTags, GetSandboxUsage, GetTagKeys, GetTagValues, GetUsage, ListSandboxes, ReplaceSandboxTags,
};
use Table::{Codes, Members, Parameters};

/// A table about one endpoint.
#[derive(Clone, Copy)]
pub enum Table {
    Parameters(Endpoint),
    Members(Endpoint),
    Codes(Endpoint),
}

/// The pages, and their tables in order.
pub const PAGES: [(&str, &[Table]); 5] = [
    ("usage.md", &[Parameters(GetUsage), Members(GetUsage), Codes(GetUsage)]),
    ("sandbox-usage.md", &[Parameters(GetSandboxUsage), Members(GetSandboxUsage), Codes(GetSandboxUsage)]),
    ("sandboxes.md", &[Parameters(ListSandboxes), Members(GetSandbox), Codes(ListSandboxes), Codes(GetSandbox)]),
    ("sandbox-tags.md", &[Members(GetSandboxTags), Codes(GetSandboxTags), Codes(ReplaceSandboxTags)]),
    (
        "tags.md",
        &[Members(GetTagKeys), Codes(GetTagKeys), Parameters(GetTagValues), Members(GetTagValues), Codes(GetTagValues)],
    ),
];

/// Returns the list of all endpoints, with links to their pages.
pub fn index() -> Result<String> {
    let mut rows = String::new();
    for &endpoint in Endpoint::ALL {
        let on = |table: &Table| matches!(table, Codes(other) if *other == endpoint);
        let (page, _) = PAGES.iter().find(|(_, tables)| tables.iter().any(on)).context(endpoint.name())?;
        let summary = endpoint.documentation().lines().next().unwrap_or_default().trim();
        rows += &format!("| [`{} {}`]({page}) | {summary} |\n", endpoint.method().as_str(), endpoint.path());
    }
    Ok(table(&["endpoint", "description"], &rows))
}

/// Returns a table as Markdown.
pub fn render(table: Table) -> Result<String> {
    match table {
        Parameters(endpoint) => parameters(endpoint),
        Members(endpoint) => members(endpoint),
        Codes(endpoint) => Ok(docs::codes(endpoint.codes())),
    }
}

/// Returns a page with its tables.
pub fn page(root: &Path, name: &str, tables: &[Table]) -> Result<String> {
    let path = root.join("docs/api").join(name);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let tables = tables.iter().copied().map(render).collect::<Result<Vec<_>>>()?;
    super::parts(&text, &tables).with_context(|| name.to_owned())
}

fn table(head: &[&str], rows: &str) -> String {
    format!("\n| {} |\n|{}\n{rows}\n", head.join(" | "), "---|".repeat(head.len()))
}

/// Returns the table of the query parameters of an endpoint.
fn parameters(endpoint: Endpoint) -> Result<String> {
    let known = openapi::parameters();
    let query = endpoint.query();
    let mut rows = String::new();
    for name in query.scalars.iter().chain(query.maps) {
        let parameter = known.get(name).with_context(|| format!("`{name}` is not described"))?;
        let description = parameter["description"].as_str().with_context(|| format!("`{name}` has no description"))?;
        let default = match parameter.pointer("/schema/default") {
            _ if parameter["required"] == true => "required".to_owned(),
            None => String::new(),
            Some(default) => format!("`{}`", default.as_str().context("a default is no text")?),
        };
        let name = if query.maps.contains(name) { format!("{name}[<dimension>]") } else { (*name).to_owned() };
        // The document has one description of both forms of a name.
        let description = description.strip_prefix(&format!("`{name}`: ")).unwrap_or(description);
        rows += &format!("| `{name}` | {} | {default} |\n", cell(description));
    }
    ensure!(!rows.is_empty(), "{} takes no parameters", endpoint.name());
    Ok(table(&["parameter", "value", "default"], &rows))
}

/// Returns the table of the members of an endpoint's responses, also of those within others.
fn members(endpoint: Endpoint) -> Result<String> {
    let mut rows = Vec::new();
    for &reply in endpoint.replies() {
        let description = openapi::body(reply).context("a reply has no description")?;
        walk(if reply == Reply::Sandboxes { "[]." } else { "" }, description, &mut rows);
    }
    let rows: String = rows.iter().map(|(path, kind, docs)| format!("| `{path}` | {kind} | {docs} |\n")).collect();
    Ok(table(&["member", "type", "description"], &rows))
}

/// Adds a row for each member whose path has none yet.
fn walk(prefix: &str, description: &Description, rows: &mut Vec<(String, String, String)>) {
    for member in description.members {
        let path = format!("{prefix}{}", member.name);
        if !rows.iter().any(|(other, ..)| *other == path) {
            rows.push((path.clone(), kind(member), cell(&sentences_if_sent(member))));
        }
        if let Some(object) = member.object {
            let list = matches!(member.shape, Shape::List(_) | Shape::Nullable(Shape::List(_)));
            walk(&format!("{path}{}.", if list { "[]" } else { "" }), object, rows);
        }
    }
}

/// Returns the type of a member, as this project's server sends it.
fn kind(member: &MemberDescription) -> String {
    let optional = matches!(member.presence, Presence::Omitted | Presence::WithInterval);
    let name = |shape: &Shape| match shape {
        Shape::Number => "number",
        Shape::Count => "integer",
        Shape::Text => "string",
        Shape::Time => "time",
        Shape::Flag => "boolean",
        Shape::Tags | Shape::Group | Shape::Object(_) | Shape::Nullable(_) => "object",
        Shape::List(Shape::Number) => "numbers",
        Shape::List(_) => "list",
    };
    match &member.shape {
        Shape::Nullable(shape) if member.presence == Presence::Required => format!("{} or null", name(shape)),
        Shape::Nullable(shape) if optional => format!("{}, optional", name(shape)),
        Shape::Nullable(shape) => name(shape).to_owned(),
        shape if optional => format!("{}, optional", name(shape)),
        shape => name(shape).to_owned(),
    }
}

/// Returns a text as it is written in a table.
fn cell(text: &str) -> String {
    let mut characters = text.trim().trim_end_matches('.').replace('|', "\\|");
    if let Some(first) = characters.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    characters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_is_on_a_page() {
        let index = index().unwrap();
        for endpoint in Endpoint::ALL {
            assert!(index.contains(&format!("{} {}`", endpoint.method().as_str(), endpoint.path())), "{index}");
        }
    }

    #[test]
    fn members_of_members_have_paths() {
        let table = members(GetUsage).unwrap();
        for row in [
            "| `items[].tagKey` | string |",
            "| `items[].sandboxId` | string |",
            "| `total.series.memoryGbSeconds` | numbers |",
            "| `nextCursor` | string or null |",
            "| `interval` | string, optional |",
        ] {
            assert!(table.contains(row), "{row} is not in {table}");
        }
        assert_eq!(table.matches("| `total` |").count(), 1);
    }
}
