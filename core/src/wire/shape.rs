//! The shape of a response as a table, for hosts that build their own values and need a small decoder.

use super::group::GroupValues;
use crate::error::TagViolation;
use crate::host::json::{Json, Repeated, ToJson, entries, sequence};
use crate::tags::Tags;
use crate::usage::window::Timestamp;

/// The shape of a value. Derived from the structs of [`wire`](super).
#[derive(Debug)]
pub enum Shape {
    /// A number.
    Number,
    /// A non-negative integer.
    Count,
    /// A string.
    Text,
    /// A string that is a timestamp.
    Time,
    /// `true` or `false`.
    Flag,
    /// An object of strings.
    Tags,
    /// An object of strings and nulls, whose order counts.
    Group,
    /// Null, missing from an object, or a value of that shape.
    Nullable(&'static Shape),
    /// An array.
    List(&'static Shape),
    /// An object with at least these members.
    Object(&'static [Member]),
}

/// One member of an object.
#[derive(Debug)]
pub struct Member {
    pub(crate) name: &'static str,
    /// The path to the member that is read instead if this one is missing; empty without such a member.
    pub(crate) fallback: &'static [&'static str],
    pub(crate) absence: Absence,
    pub(crate) shape: Shape,
}

/// The output for a missing member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// Null.
    Null,
    /// Nothing, and also nothing for a null, unless null and absent have different meanings.
    Omitted,
    /// An empty list, also for a null.
    EmptyList,
}

impl Member {
    /// Finds the member's value in an object. If some servers use another name, both members are checked.
    fn find<'a, 'b>(&self, object: &'a Json<'b>) -> Result<Option<&'a Json<'b>>, Misfit> {
        let own = self.at(object, &[self.name])?;
        let other = if self.fallback.is_empty() { None } else { self.at(object, self.fallback)? };
        let present = |value: &&Json<'_>| **value != Json::Null;
        if let (Some(other), 1) = (other, self.fallback.len()) {
            rewrite(other, &self.shape, &mut String::new()).map_err(|deeper| deeper.or(Some(self.name)))?;
        }
        Ok(own.filter(present).or(other.filter(present)).or(own))
    }

    fn at<'a, 'b>(&self, object: &'a Json<'b>, path: &[&str]) -> Result<Option<&'a Json<'b>>, Misfit> {
        path.iter().try_fold(Some(object), |value, name| match value {
            Some(value) => value.member(name).map_err(|Repeated| Some(self.name)),
            None => Ok(None),
        })
    }

    fn is_omitted(&self, value: Option<&Json<'_>>) -> bool {
        let null_is_absent = !matches!(self.shape, Shape::Nullable(Shape::Nullable(_)));
        self.absence == Absence::Omitted && value.is_none_or(|value| null_is_absent && *value == Json::Null)
    }
}

/// A type of the wire and its shape.
pub trait Shaped {
    /// The shape of the type's values.
    const SHAPE: Shape;
}

macro_rules! shapes {
    ($($type:ty: $shape:ident;)*) => {$(
        impl Shaped for $type {
            const SHAPE: Shape = Shape::$shape;
        }
    )*};
}

shapes! {
    f64: Number;
    u64: Count;
    bool: Flag;
    String: Text;
    Timestamp: Time;
    Tags: Tags;
    GroupValues: Group;
}

impl Shaped for TagViolation {
    const SHAPE: Shape = Shape::Object(&[
        Member { name: "code", fallback: &[], absence: Absence::Null, shape: Shape::Text },
        Member { name: "key", fallback: &[], absence: Absence::Null, shape: Shape::Nullable(&Shape::Text) },
        Member { name: "message", fallback: &[], absence: Absence::Null, shape: Shape::Text },
    ]);
}

impl<T: Shaped> Shaped for Option<T> {
    const SHAPE: Shape = Shape::Nullable(&T::SHAPE);
}

impl<T: Shaped> Shaped for Vec<T> {
    const SHAPE: Shape = Shape::List(&T::SHAPE);
}

/// The name of the member that does not match; `None` if the value itself does not match.
type Misfit = Option<&'static str>;

/// Writes a value with the members that its shape names, and no others.
pub(crate) fn rewrite(value: &Json<'_>, shape: &Shape, out: &mut String) -> Result<(), Misfit> {
    match (shape, value) {
        (Shape::Nullable(_), Json::Null) => out.push_str("null"),
        (Shape::Nullable(shape), _) => rewrite(value, shape, out)?,
        (Shape::Number, Json::Number(number)) => out.push_str(number),
        (Shape::Count, Json::Number(number)) if number.parse::<u64>().is_ok() => out.push_str(number),
        (Shape::Text, Json::Text(text)) => text.write_json(out),
        (Shape::Time, Json::Text(text)) => Timestamp::read(text).ok_or(None)?.to_string().write_json(out),
        (Shape::Flag, Json::Bool(flag)) => out.push_str(if *flag { "true" } else { "false" }),
        (Shape::Tags | Shape::Group, Json::Map(members)) => {
            let nullable = matches!(shape, Shape::Group);
            let mut texts = Vec::new();
            for (name, value) in members {
                texts.push((&**name, text(value, nullable)?));
            }
            let mut names: Vec<_> = members.iter().map(|(name, _)| &**name).collect();
            names.sort_unstable();
            if names.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
                return Err(None);
            }
            entries(out, texts);
        }
        (Shape::List(Shape::Number), Json::Numbers(list)) => list.write_json(out),
        (Shape::List(shape), Json::List(items)) => {
            sequence(out, ['[', ']'], items, |out, item| rewrite(item, shape, out))?;
        }
        (Shape::Object(members), Json::Map(_)) => {
            let mut written = Vec::new();
            for member in *members {
                let value = member.find(value)?;
                if !member.is_omitted(value) {
                    written.push((member, value));
                }
            }
            sequence(out, ['{', '}'], written, |out, (member, value)| {
                member.name.write_json(out);
                out.push(':');
                let value = match (value, member.absence, &member.shape) {
                    (None | Some(Json::Null), Absence::EmptyList, _) => {
                        out.push_str("[]");
                        return Ok(());
                    }
                    (Some(value), ..) => value,
                    (None, _, Shape::Nullable(_)) => &Json::Null,
                    (None, ..) => return Err(Some(member.name)),
                };
                rewrite(value, &member.shape, out).map_err(|deeper| deeper.or(Some(member.name)))
            })?;
        }
        _ => return Err(None),
    }
    Ok(())
}

/// Returns a string, or `None` for null if that is allowed.
fn text<'a>(value: &'a Json<'_>, nullable: bool) -> Result<Option<&'a str>, Misfit> {
    match value {
        Json::Null if nullable => Ok(None),
        value => value.as_str().map(Some).ok_or(None),
    }
}
