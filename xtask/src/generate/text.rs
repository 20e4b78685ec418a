//! Reads doc comments of the core for other languages.

use anyhow::{Context as _, Result};
use opencomputer_usage_core::wire::describe::{Description, MemberDescription, Presence};
use opencomputer_usage_core::wire::{DESCRIPTIONS, shape::Shape};
use serde_json::{Map, Value};

/// Returns the description of a wire type by its name in Rust.
pub fn described(name: &str) -> Result<&'static Description> {
    let known = DESCRIPTIONS.iter().copied().flatten();
    known.into_iter().find(|description| description.name == name).with_context(|| format!("no wire type `{name}`"))
}

/// Returns the name of a wire type in other languages, which do not distinguish a body from its value.
pub fn name(description: &Description) -> &'static str {
    description.name.strip_suffix("Body").unwrap_or(description.name)
}

/// Returns the sentences of a doc comment, without the example.
pub fn sentences(docs: &str) -> &str {
    docs.split_once(" Example:").map_or(docs, |(sentences, _)| sentences).trim()
}

/// Returns the sentences about a member, without the clause about servers that do not send it.
pub fn sentences_if_sent(member: &MemberDescription) -> String {
    let docs = sentences(member.docs);
    match docs.split_once("; `None`") {
        Some((before, after)) if member.presence == Presence::Always => {
            format!("{before}.{}", after.split_once(". ").map_or("", |(_, rest)| rest))
        }
        _ => docs.to_owned(),
    }
}

/// Returns the example of an object over the whole window, assembled from the examples of its members.
pub fn example(description: &Description) -> Result<Value> {
    let members = description.members.iter().filter(|member| member.presence != Presence::WithInterval);
    let members = members.map(|member| {
        let value = member_example(member).with_context(|| format!("{}.{}", description.name, member.name))?;
        Ok((member.name.to_owned(), value))
    });
    members.collect::<Result<Map<_, _>>>().map(Value::Object)
}

fn member_example(member: &MemberDescription) -> Result<Value> {
    if let Some((_, example)) = member.docs.split_once(" Example:") {
        let example = example.trim().strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
        return serde_json::from_str(example.context("the doc comment does not end with an example in backticks")?)
            .context("the example is not JSON");
    }
    let object = example(member.object.context("no example")?)?;
    Ok(if is_list(&member.shape) { Value::Array(vec![object]) } else { object })
}

fn is_list(shape: &Shape) -> bool {
    match shape {
        Shape::List(_) => true,
        Shape::Nullable(shape) => is_list(shape),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_before_the_example() {
        assert_eq!(sentences(" Memory, GB-seconds. Example: `1.5`"), "Memory, GB-seconds.");
    }

    #[test]
    fn every_member_has_an_example() {
        for description in DESCRIPTIONS.iter().copied().flatten() {
            for member in description.members {
                member_example(member).unwrap();
            }
        }
    }
}
