//! Checks of bodies and deserializers for the wire types where serde's defaults are too lax.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::usage::window::Timestamp;

/// Returns the text of a body. The error describes the fault.
pub(crate) fn utf8(body: &[u8]) -> Result<&str, &'static str> {
    str::from_utf8(body).map_err(|_| match body {
        [0x1f, 0x8b, ..] => "it is compressed with gzip, which was not requested",
        _ => "it is not UTF-8",
    })
}

/// Deserializes a struct from an object only: serde would also accept an array of its members.
pub(super) struct Object<De>(pub(super) De);

impl<'de, De: Deserializer<'de>> Deserializer<'de> for Object<De> {
    type Error = De::Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, De::Error> {
        self.0.deserialize_map(Members(visitor))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Visits the members by name.
struct Members<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Members<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(members)
    }
}

/// Distinguishes null from a missing member.
#[allow(clippy::option_option, reason = "there are three cases")]
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Timestamp>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
