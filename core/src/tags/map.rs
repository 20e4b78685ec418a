//! Maps of tags that were read.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};

use super::set::TagSet;

/// Tags by key, including system tags. Deserializing a map with a repeated key fails.
///
/// ```
/// use opencomputer_usage_core::tags::Tags;
///
/// let tags: Tags = serde_json::from_str(r#"{"oc:plan":"pro","team":"payments"}"#)?;
/// assert_eq!(tags["team"], "payments");
/// assert_eq!(tags.user().keys().collect::<Vec<_>>(), ["team"]);
/// assert!(serde_json::from_str::<Tags>(r#"{"team":"a","team":"b"}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    /// Returns the user tags, which can be written back, without the system tags under `oc:`.
    #[must_use]
    pub fn user(&self) -> BTreeMap<String, String> {
        self.user_set().to_map()
    }

    /// Returns the user tags as a set.
    pub(crate) fn user_set(&self) -> TagSet {
        TagSet::user_part(self.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }
}

impl Deref for Tags {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Tags {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl From<BTreeMap<String, String>> for Tags {
    fn from(tags: BTreeMap<String, String>) -> Self {
        Self(tags)
    }
}

impl FromIterator<(String, String)> for Tags {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(tags: I) -> Self {
        Self(tags.into_iter().collect())
    }
}

impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;

        impl<'de> Visitor<'de> for Map {
            type Value = Tags;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tags, A::Error> {
                let mut tags = BTreeMap::new();
                while let Some((key, value)) = members.next_entry::<String, String>()? {
                    match tags.entry(key) {
                        Entry::Vacant(place) => place.insert(value),
                        Entry::Occupied(_) => return Err(de::Error::custom("it has the same tag twice")),
                    };
                }
                Ok(Tags(tags))
            }
        }

        deserializer.deserialize_map(Map)
    }
}
