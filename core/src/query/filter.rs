//! `filter[<dimension>]`: the values of a dimension to keep, and the quoting that allows any value in a list.
//!
//! `exclude[<dimension>]` has the same values; see [`exclude`](super::exclude).

use super::parameter::{Digest, Digested, Parameter, QueryString};
use super::parameters::{Parameters, Scalar};
use crate::error::{Code, Error, quoted};
use crate::host::value::{Raw, text_of};
use crate::limits::{MAX_FILTER_VALUES, MAX_FILTERS};
use crate::tags;
use crate::usage::dimension::Dimension;

pub(super) const NAME: &str = "filter";

/// The sandboxes that a condition on one dimension matches: those that a filter keeps or an exclusion drops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Sandboxes that lack the dimension.
    Absent,
    /// Sandboxes with any of these values: at least one, without duplicates, in the order given.
    AnyOf(Vec<String>),
}

/// A parameter of conditions: its name and the most conditions in one query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) max: usize,
    /// The plural, for messages.
    pub(super) plural: &'static str,
}

/// The conditions of `filter[…]`.
const FILTERS: Family = Family { name: NAME, max: MAX_FILTERS, plural: "filters" };

impl Filter {
    /// Parses the value of `filter[<dimension>]`.
    ///
    /// # Errors
    ///
    /// `invalid_filter`.
    pub fn parse(dimension: &Dimension, raw: &str) -> Result<Self, Error> {
        Self::read(dimension, raw).map_err(|fault| FILTERS.invalid(&dimension.to_string(), fault))
    }

    /// Parses the value of a condition; the error describes the fault.
    fn read(dimension: &Dimension, raw: &str) -> Result<Self, String> {
        if raw.is_empty() {
            return match dimension.absence_fault() {
                None => Ok(Self::Absent),
                Some(fault) => Err(fault.to_owned()),
            };
        }
        Self::of(dimension, split(raw)?)
    }

    /// Creates a condition from exact values; the error describes the fault.
    fn of(dimension: &Dimension, values: Vec<String>) -> Result<Self, String> {
        distinct(values, &|value| dimension.value_fault(value)).map(Self::AnyOf)
    }

    /// Returns whether a value needs quotes, which the platform's own servers do not understand.
    pub(crate) fn is_quoted(&self) -> bool {
        matches!(self, Self::AnyOf(values) if values.iter().any(|value| needs_quotes(value)))
    }

    /// Formats the value of `filter[…]`. Parsing it returns the same filter.
    #[must_use]
    pub fn write(&self) -> String {
        match self {
            Self::Absent => String::new(),
            Self::AnyOf(values) => join(values),
        }
    }
}

/// Parses the value of a tag filter outside of a query: its values, or `None` for *the sandbox lacks the tag*.
///
/// ```
/// use opencomputer_usage_core::query::filter::{format_filter, parse_filter};
///
/// let values = parse_filter(r#""a,b",c,"""#)?;
/// assert_eq!(values, Some(vec!["a,b".to_owned(), "c".to_owned(), String::new()]));
/// assert_eq!(format_filter(values)?, r#""a,b",c,"""#);
/// # Ok::<(), opencomputer_usage_core::Error>(())
/// ```
///
/// # Errors
///
/// `invalid_filter`.
pub fn parse_filter(raw: &str) -> Result<Option<Vec<String>>, Error> {
    if raw.is_empty() {
        return Ok(None);
    }
    split(raw).and_then(|values| distinct(values, &tags::value_fault)).map(Some).map_err(invalid_alone)
}

/// Formats exact values as the value of a tag filter; `None` stands for sandboxes that lack the tag.
///
/// # Errors
///
/// `invalid_filter`.
pub fn format_filter(values: Option<Vec<String>>) -> Result<String, Error> {
    let Some(values) = values else {
        return Ok(String::new());
    };
    distinct(values, &tags::value_fault).map(|values| join(&values)).map_err(invalid_alone)
}

pub(crate) fn invalid_alone(fault: impl AsRef<str>) -> Error {
    Code::InvalidFilter.error(format!("invalid filter: {}", fault.as_ref()))
}

/// Counts and checks values, then drops duplicates.
fn distinct(values: Vec<String>, rule: &dyn Fn(&str) -> Option<String>) -> Result<Vec<String>, String> {
    let count = values.len();
    if count == 0 {
        return Err("the list of values is empty, at least one value is needed".to_owned());
    }
    if count > MAX_FILTER_VALUES {
        return Err(format!("{count} values, at most {MAX_FILTER_VALUES} are allowed"));
    }
    if let Some(fault) = values.iter().find_map(|value| rule(value)) {
        return Err(fault);
    }
    let mut distinct = Vec::with_capacity(count);
    for value in values {
        // The list is short, so a linear search is cheaper than a set of copies.
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    Ok(distinct)
}

/// The filters of one query: each dimension at most once, in the order given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters(Vec<(Dimension, Filter)>);

impl Filters {
    /// Adds a filter.
    ///
    /// # Errors
    ///
    /// `duplicate_filter` if the dimension has a filter, `invalid_filter` if the query has too many.
    pub fn push(&mut self, dimension: Dimension, filter: Filter) -> Result<(), Error> {
        self.push_to(FILTERS, dimension, filter)
    }

    fn push_to(
        &mut self,
        Family { name, max, plural }: Family,
        dimension: Dimension,
        filter: Filter,
    ) -> Result<(), Error> {
        if self.0.iter().any(|(known, _)| *known == dimension) {
            let message = format!("`{name}[{dimension}]` is given twice, list its values in one `{name}`");
            return Err(Code::DuplicateFilter.error(message));
        }
        if self.0.len() == max {
            let message = format!("more than {max} {plural}, at most {max} are allowed in one query");
            return Err(Code::InvalidFilter.error(message));
        }
        self.0.push((dimension, filter));
        Ok(())
    }

    /// Returns the filters, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = (&Dimension, &Filter)> {
        self.0.iter().map(|(dimension, filter)| (dimension, filter))
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Parses the conditions of one parameter.
    pub(super) fn parse(family: Family, parameters: &Parameters) -> Result<Self, Error> {
        let mut filters = Self::default();
        for (name, value) in parameters.entries(family.name) {
            let invalid = |fault: String| family.invalid(name, fault);
            let dimension = Dimension::parse(name).map_err(invalid)?;
            let filter = value.text().and_then(|text| Filter::read(&dimension, &text)).map_err(invalid)?;
            filters.push_to(family, dimension, filter)?;
        }
        match parameters.scalar(family.name) {
            // No endpoint has a scalar parameter of this name.
            None | Some(Scalar::Wire(_)) => {}
            Some(Scalar::Option(Raw::Map(given))) => {
                for (name, value) in given {
                    let name = name.to_string();
                    let invalid = |fault: String| family.invalid(&name, fault);
                    let dimension = Dimension::parse(&name).map_err(invalid)?;
                    let filter = Filter::from_option(&dimension, value).map_err(invalid)?;
                    filters.push_to(family, dimension, filter)?;
                }
            }
            Some(Scalar::Option(value)) => {
                let Family { name, plural, .. } = family;
                let fault = format!("it must be an object of {plural} by dimension, got {}", value.kind());
                return Err(Code::InvalidFilter.error(format!("invalid `{name}`: {fault}")));
            }
        }
        Ok(filters)
    }

    /// Writes the conditions of one parameter.
    pub(super) fn write(&self, name: &str, query: &mut QueryString) {
        for (dimension, filter) in self.iter() {
            query.push(&format!("{name}[{dimension}]"), &filter.write());
        }
    }
}

impl Family {
    fn invalid(self, dimension: &str, fault: impl AsRef<str>) -> Error {
        Code::InvalidFilter.error(format!("invalid `{}[{dimension}]`: {}", self.name, fault.as_ref()))
    }
}

/// Parses the parameter.
pub(super) fn parse(parameters: &Parameters) -> Result<Filters, Error> {
    Filters::parse(FILTERS, parameters)
}

impl Filter {
    /// Creates a condition from an SDK's value: a list of exact values, null for *lacks the dimension*, or text as in a
    /// URL. The error describes the fault.
    fn from_option(dimension: &Dimension, value: &Raw) -> Result<Self, String> {
        match value {
            Raw::Null => Self::read(dimension, ""),
            Raw::Text(_) => Self::read(dimension, &text_of(value)?),
            Raw::List(given) => {
                let mut values = Vec::new();
                for value in given {
                    values.push(match value {
                        Raw::Text(text) => text.as_str().ok_or("a value contains a lone surrogate")?.to_owned(),
                        other => return Err(format!("a value must be a string, got {}", other.kind())),
                    });
                }
                Self::of(dimension, values)
            }
            other => Err(format!("it must be an array of strings, null or a string, got {}", other.kind())),
        }
    }
}

impl Parameter for Filters {
    fn write(&self, query: &mut QueryString) {
        self.write(NAME, query);
    }
}

impl Digested for Filters {
    fn digest(&self, digest: &mut Digest) {
        let mut filters: Vec<_> = self.iter().collect();
        filters.sort_by_key(|(dimension, _)| *dimension);
        for (dimension, filter) in filters {
            digest.field(&dimension.to_string());
            if let Filter::AnyOf(values) = filter {
                let mut values: Vec<_> = values.iter().collect();
                values.sort();
                for value in values {
                    digest.field(&format!("={value}"));
                }
            }
        }
    }
}

/// Splits a comma-separated list with the quoting of RFC 4180; white space around a value is trimmed.
fn split(raw: &str) -> Result<Vec<String>, String> {
    let mut values = Vec::new();
    let mut rest = raw;
    loop {
        rest = rest.trim_start();
        let (value, after) = match rest.strip_prefix('"') {
            Some(inside) => unquote(inside)?,
            None => bare(rest)?,
        };
        values.push(value);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok(values),
        }
    }
}

/// Parses up to the next comma. The rest starts with that comma or is empty.
fn bare(text: &str) -> Result<(String, &str), String> {
    let (value, rest) = text.split_at(text.find(',').unwrap_or(text.len()));
    let value = value.trim_end();
    if value.is_empty() {
        return Err("a value is empty, write the empty string as `\"\"`".to_owned());
    }
    if value.contains('"') {
        return Err(format!("{} has a quote inside, quote the value and double its quotes", quoted(value)));
    }
    Ok((value.to_owned(), rest))
}

/// Parses from after an opening quote to after its closing one. The rest starts with a comma or is empty.
fn unquote(inside: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut rest = inside;
    loop {
        let Some((text, after)) = rest.split_once('"') else {
            return Err(format!("{} has no closing quote", quoted(&format!("\"{inside}"))));
        };
        value.push_str(text);
        let Some(again) = after.strip_prefix('"') else {
            let after = after.trim_start();
            if after.is_empty() || after.starts_with(',') {
                return Ok((value, after));
            }
            return Err(format!("{} follows a closing quote, only a comma or the end is allowed there", quoted(after)));
        };
        value.push('"');
        rest = again;
    }
}

fn join(values: &[String]) -> String {
    values.iter().map(|value| quote(value)).collect::<Vec<_>>().join(",")
}

fn needs_quotes(value: &str) -> bool {
    value.is_empty() || value.contains([',', '"']) || value.trim() != value
}

fn quote(value: &str) -> String {
    if needs_quotes(value) { format!("\"{}\"", value.replace('"', "\"\"")) } else { value.to_owned() }
}
