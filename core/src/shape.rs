//! What an answer must look like, as a table: the small way to read one, for a host that makes the values itself.

use crate::json::{Json, Repeated, ToJson, entries, sequence};
use crate::window::Timestamp;
use crate::wire::Tags;

/// What a value must be. Derived from the structs of [`wire`](crate::wire).
#[derive(Debug)]
pub enum Shape {
    /// A number.
    Number,
    /// A whole number, not negative.
    Count,
    /// A string.
    Text,
    /// A string that is a timestamp.
    Time,
    /// An object of strings.
    Tags,
    /// Null, or absent from an object, or of that shape.
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
    /// Whether it is left out where it is absent, or null where absent is not the same; any other is null then.
    pub(crate) omitted: bool,
    pub(crate) shape: Shape,
}

impl Member {
    fn is_absent(&self, value: &Result<Option<&Json<'_>>, Repeated>) -> bool {
        match value {
            Ok(None) => true,
            Ok(Some(Json::Null)) => !matches!(self.shape, Shape::Nullable(Shape::Nullable(_))),
            _ => false,
        }
    }
}

/// A type of the wire and its shape.
pub trait Shaped {
    /// What a value of the type is in JSON.
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
    String: Text;
    Timestamp: Time;
    Tags: Tags;
}

impl<T: Shaped> Shaped for Option<T> {
    const SHAPE: Shape = Shape::Nullable(&T::SHAPE);
}

impl<T: Shaped> Shaped for Vec<T> {
    const SHAPE: Shape = Shape::List(&T::SHAPE);
}

/// The member that does not fit, or nothing where the value itself does not.
type Misfit = Option<&'static str>;

/// Writes a value anew with just the members that its shape names.
pub(crate) fn rewrite(value: &Json<'_>, shape: &Shape, out: &mut String) -> Result<(), Misfit> {
    match (shape, value) {
        (Shape::Nullable(_), Json::Null) => out.push_str("null"),
        (Shape::Nullable(shape), _) => rewrite(value, shape, out)?,
        (Shape::Number, Json::Number(number)) => out.push_str(number),
        (Shape::Count, Json::Number(number)) if number.parse::<u64>().is_ok() => out.push_str(number),
        (Shape::Text, Json::Text(text)) => text.write_json(out),
        (Shape::Time, Json::Text(text)) => Timestamp::read(text).ok_or(None)?.to_string().write_json(out),
        (Shape::Tags, Json::Map(tags)) => {
            let tags: Option<Vec<_>> = tags.iter().map(|(key, value)| Some((&**key, value.as_str()?))).collect();
            entries(out, tags.ok_or(None)?);
        }
        (Shape::List(shape), Json::List(items)) => {
            sequence(out, ['[', ']'], items, |out, item| rewrite(item, shape, out))?;
        }
        (Shape::Object(members), Json::Map(_)) => {
            let given = members.iter().map(|member| (member, value.member(member.name)));
            let written = given.filter(|(member, value)| !(member.omitted && member.is_absent(value)));
            sequence(out, ['{', '}'], written, |out, (member, value)| {
                let value = match (value, &member.shape) {
                    (Ok(Some(value)), _) => value,
                    (Ok(None), Shape::Nullable(_)) => &Json::Null,
                    _ => return Err(Some(member.name)),
                };
                member.name.write_json(out);
                out.push(':');
                rewrite(value, &member.shape, out).map_err(|deeper| deeper.or(Some(member.name)))
            })?;
        }
        _ => return Err(None),
    }
    Ok(())
}
