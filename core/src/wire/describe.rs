//! The documentation of the wire types, from which the types and schemas of other languages are generated.
//!
//! It is separate from [`Shape`], so that a host that only decodes does not carry it.

use super::group::GroupValues;
use super::shape::Shape;
use crate::error::TagViolation;
use crate::tags::Tags;
use crate::usage::window::Timestamp;

/// A JSON object and its documentation.
#[derive(Debug)]
pub struct Description {
    /// The name of the Rust type.
    pub name: &'static str,
    /// The doc comment, as one line.
    pub docs: &'static str,
    /// The members, in the order in which they are written.
    pub members: &'static [MemberDescription],
}

/// One member of an object and its documentation.
#[derive(Debug)]
pub struct MemberDescription {
    /// The name of the field in Rust and Python.
    pub field: &'static str,
    /// The name on the wire.
    pub name: &'static str,
    /// The doc comment, as one line. It may end with `Example:` and a value of JSON in backticks.
    pub docs: &'static str,
    /// The shape of the value.
    pub shape: Shape,
    /// The object in the shape, if there is one.
    pub object: Option<&'static Description>,
    /// The servers and cases in which the member is sent.
    pub presence: Presence,
}

/// The servers and cases in which a member of a response is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Every server sends it.
    Required,
    /// This project's server always sends it, and never as null; other servers may not send it.
    Always,
    /// It is omitted if there is no value.
    Omitted,
    /// It is sent if the query has an interval, and omitted otherwise.
    WithInterval,
}

/// A type of the wire and its documentation.
pub trait Described {
    /// Returns the object of a value, or of the items of a list or option; `None` for other values.
    const DESCRIPTION: Option<&'static Description>;
}

macro_rules! leaves {
    ($($type:ty)*) => {$(
        impl Described for $type {
            const DESCRIPTION: Option<&'static Description> = None;
        }
    )*};
}

leaves! { f64 u64 bool String Timestamp Tags GroupValues }

impl<T: Described> Described for Option<T> {
    const DESCRIPTION: Option<&'static Description> = T::DESCRIPTION;
}

impl<T: Described> Described for Vec<T> {
    const DESCRIPTION: Option<&'static Description> = T::DESCRIPTION;
}

impl Described for TagViolation {
    const DESCRIPTION: Option<&'static Description> = Some(&Description {
        name: "TagViolation",
        docs: " One broken tag rule.",
        members: &[
            MemberDescription {
                field: "code",
                name: "code",
                docs: " The code of the broken rule. Example: `\"key_empty\"`",
                shape: Shape::Text,
                object: None,
                presence: Presence::Required,
            },
            MemberDescription {
                field: "key",
                name: "key",
                docs: " The key; null for `too_many_tags` and for a value that was checked alone. Example: `\"\"`",
                shape: Shape::Nullable(&Shape::Text),
                object: None,
                presence: Presence::Required,
            },
            MemberDescription {
                field: "message",
                name: "message",
                docs: " The fault, and the allowed values. Example: `\"tag key is empty, 1 to 128 characters are \
                       allowed\"`",
                shape: Shape::Text,
                object: None,
                presence: Presence::Required,
            },
        ],
    });
}
