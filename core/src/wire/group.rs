//! The values of a group.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};

/// The value of each dimension, in the order of `groupBy`; `None` if the sandboxes lack the dimension.
///
/// ```
/// use opencomputer_usage_core::wire::GroupValues;
///
/// let group: GroupValues = serde_json::from_str(r#"{"tag:team":"payments","region":null}"#)?;
/// assert_eq!(group.get("tag:team"), Some("payments"));
/// assert_eq!(group.get("region"), None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupValues(Vec<(String, Option<String>)>);

impl GroupValues {
    /// Returns the value of a dimension; `None` if the sandboxes lack it or if the usage is not grouped by it.
    #[must_use]
    pub fn get(&self, dimension: &str) -> Option<&str> {
        self.iter().find(|(name, _)| *name == dimension)?.1
    }

    /// Returns each dimension and its value, in the order of `groupBy`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(dimension, value)| (dimension.as_str(), value.as_deref()))
    }
}

impl FromIterator<(String, Option<String>)> for GroupValues {
    fn from_iter<I: IntoIterator<Item = (String, Option<String>)>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Serialize for GroupValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for GroupValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values;

        impl<'de> Visitor<'de> for Values {
            type Value = GroupValues;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings and nulls")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<GroupValues, A::Error> {
                let mut values = Vec::<(String, Option<String>)>::new();
                while let Some((dimension, value)) = members.next_entry::<String, Option<String>>()? {
                    if values.iter().any(|(known, _)| *known == dimension) {
                        return Err(de::Error::custom("it has the same dimension twice"));
                    }
                    values.push((dimension, value));
                }
                Ok(GroupValues(values))
            }
        }

        deserializer.deserialize_map(Values)
    }
}
