//! Parameters as they were given, and query strings as they are sent.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use crate::dimension::Dimension;
use crate::error::{Code, Error, quoted};
use crate::filter::{self, Filter, Filters};
use crate::limits::MAX_QUERY_BYTES;
use crate::raw::{Raw, Text, whole_number};
use crate::window::Period;

/// A parameter's text, or why it has none, in words.
type Given = Result<String, String>;

enum FilterGiven {
    Wire(Given),
    Absent,
    Exact(Vec<Text>),
}

/// The parameters of one request as they were given, before any rule has looked at them.
#[derive(Default)]
pub struct Parameters {
    scalars: Vec<(String, Given)>,
    filters: Vec<(String, FilterGiven)>,
    /// Why the filters are no map of filters, where they are none.
    no_filters: Option<String>,
    /// The dimension to group by, where a call implies it: its options then have none.
    group_by: Option<Given>,
    /// Options that were named but not given.
    absent: Vec<String>,
    /// Whether a name was not valid UTF-8.
    unnamed: bool,
}

impl Parameters {
    /// Splits and decodes the query string of a URL: `+` is a space, a `%` that starts no escape stands for itself.
    #[must_use]
    pub fn decode(query: impl AsRef<[u8]>) -> Self {
        let decode = |bytes: &[u8]| {
            let spaced: Vec<u8> = bytes.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
            String::from_utf8(percent_decode(&spaced).collect())
        };
        let mut parameters = Self::default();
        for pair in query.as_ref().split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |&byte| byte == b'=');
            let Ok(name) = decode(halves.next().unwrap_or_default()) else {
                parameters.unnamed = true;
                continue;
            };
            let value = decode(halves.next().unwrap_or_default()).map_err(|_| "it is not valid UTF-8".to_owned());
            match name.strip_prefix("filter[").and_then(|rest| rest.strip_suffix(']')) {
                Some(dimension) => parameters.filters.push((dimension.to_owned(), FilterGiven::Wire(value))),
                None => parameters.scalars.push((name, value)),
            }
        }
        parameters
    }

    /// Takes the options of an SDK call; an option that is absent or null counts as not given.
    #[must_use]
    pub fn from_options(options: Vec<(Text, Raw)>) -> Self {
        let mut parameters = Self::default();
        for (name, value) in options {
            let value = match (name.to_string().as_str(), value) {
                (name, value) if value.is_absent() => {
                    parameters.absent.push(name.to_owned());
                    continue;
                }
                ("filter", Raw::Map(filters)) => {
                    let given = filters.into_iter().map(|(dimension, value)| (dimension.to_string(), value.into()));
                    parameters.filters.extend(given);
                    continue;
                }
                ("filter", value) => {
                    let fault = format!("it must be an object of filters by dimension, got {}", value.kind());
                    parameters.no_filters = Some(fault);
                    continue;
                }
                ("limit", Raw::Number(limit)) => whole(limit),
                ("limit", value) => Err(format!("it must be a number, got {}", value.kind())),
                (_, value) => text_of(&value),
            };
            parameters.scalars.push((name.to_string(), value));
        }
        parameters
    }

    /// Groups by what the call implies.
    #[must_use]
    pub fn grouped_by(mut self, group_by: Given) -> Self {
        self.group_by = Some(group_by);
        self
    }

    /// The names of the scalars that a usage query takes.
    pub(super) fn usage_names(&self) -> &'static [&'static str] {
        let names: &[_] = &["groupBy", "from", "to", "sort", "limit", "cursor"];
        if self.group_by.is_some() { names.get(1..).unwrap_or_default() } else { names }
    }

    pub(super) fn group_by(&self) -> Option<&Given> {
        self.group_by.as_ref().or_else(|| self.scalar("groupBy"))
    }

    /// Refuses what the endpoint does not know, then what is given twice.
    pub(crate) fn known(&self, names: &[&str], filters: bool) -> Result<(), Error> {
        let unknown = |name: &str| {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            let allowed = match (names.is_empty(), filters) {
                (true, _) => "none is allowed here".to_owned(),
                (false, true) if self.group_by.is_some() => format!("allowed are {} and `filter`", names.join(", ")),
                (false, true) => format!("allowed are {} and `filter[…]`", names.join(", ")),
                (false, false) => format!("allowed are {}", names.join(", ")),
            };
            Code::UnknownParameter.error(format!("unknown parameter {name}, {allowed}"))
        };
        if self.unnamed {
            return Err(unknown("whose name is not valid UTF-8"));
        }
        let scalars = self.scalars.iter().map(|(name, _)| name);
        let absent = self.absent.iter().filter(|name| !(filters && *name == "filter"));
        if let Some(name) = scalars.chain(absent).find(|name| !names.contains(&name.as_str())) {
            return Err(unknown(&quoted(name)));
        }
        if let (false, Some((dimension, _))) = (filters, self.filters.first()) {
            return Err(unknown(&quoted(&format!("filter[{dimension}]"))));
        }
        let times = |name: &&&str| self.scalars.iter().filter(|(given, _)| given == **name).count();
        match names.iter().find(|name| times(name) > 1) {
            Some(name) => Err(Code::DuplicateParameter.error(format!("parameter `{name}` is given twice"))),
            None => Ok(()),
        }
    }

    fn scalar(&self, name: &str) -> Option<&Given> {
        self.scalars.iter().find(|(given, _)| given == name).map(|(_, value)| value)
    }

    pub(super) fn read<T>(
        &self,
        name: &str,
        code: Code,
        parse: impl FnOnce(&str) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match self.scalar(name) {
            None => Ok(None),
            Some(Ok(text)) => parse(text).map(Some),
            Some(Err(fault)) => Err(code.error(format!("invalid `{name}`: {fault}"))),
        }
    }

    pub(super) fn filters(&self) -> Result<Filters, Error> {
        if let Some(fault) = &self.no_filters {
            return Err(Code::InvalidFilter.error(format!("invalid `filter`: {fault}")));
        }
        let mut filters = Filters::default();
        for (name, given) in &self.filters {
            let invalid = |fault: &str| filter::invalid(name, fault);
            let dimension = Dimension::parse(name).map_err(|fault| invalid(&fault))?;
            let filter = match given {
                FilterGiven::Absent => Filter::parse(&dimension, "")?,
                FilterGiven::Wire(Ok(text)) => Filter::parse(&dimension, text)?,
                FilterGiven::Wire(Err(fault)) => return Err(invalid(fault)),
                FilterGiven::Exact(values) => {
                    let values: Option<Vec<_>> = values.iter().map(|value| value.as_str().map(str::to_owned)).collect();
                    let values = values.ok_or_else(|| invalid("a value contains a lone surrogate"))?;
                    Filter::of(&dimension, values)?
                }
            };
            filters.push(dimension, filter)?;
        }
        Ok(filters)
    }

    /// The window, of a query that may have one.
    pub(crate) fn period(&self) -> Result<Period, Error> {
        let end = |name| self.read(name, Code::InvalidTimestamp, str::parse);
        Period::new(end("from")?, end("to")?)
    }
}

impl From<Raw> for FilterGiven {
    fn from(value: Raw) -> Self {
        match value {
            Raw::Null => Self::Absent,
            Raw::List(values) => {
                let texts: Result<Vec<_>, _> = values
                    .into_iter()
                    .map(|value| match value {
                        Raw::Text(text) => Ok(text),
                        other => Err(format!("a value must be a string, got {}", other.kind())),
                    })
                    .collect();
                texts.map_or_else(|fault| Self::Wire(Err(fault)), Self::Exact)
            }
            Raw::Text(text) => Self::Wire(text_of(&Raw::Text(text))),
            other => {
                Self::Wire(Err(format!("allowed are an array of strings, null and a string, got {}", other.kind())))
            }
        }
    }
}

/// The text of a number that must be whole.
fn whole(number: f64) -> Given {
    whole_number(number).map(|number| number.to_string()).ok_or_else(|| "it is no whole number".to_owned())
}

/// The text of an option that must be a string.
pub(crate) fn text_of(value: &Raw) -> Given {
    match value {
        Raw::Text(Text::Unicode(text)) => Ok(text.clone()),
        Raw::Text(Text::Broken(_)) => Err("it contains a lone surrogate".to_owned()),
        other => Err(format!("it must be a string, got {}", other.kind())),
    }
}

/// Refuses an encoded query string that is longer than the contract allows.
///
/// # Errors
///
/// `query_too_long`.
pub fn check_length(query: &str) -> Result<(), Error> {
    if query.len() <= MAX_QUERY_BYTES {
        return Ok(());
    }
    let message = format!("the query string has {} bytes, at most {MAX_QUERY_BYTES} are allowed", query.len());
    Err(Code::QueryTooLong.error(message))
}

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes all but the unreserved characters of RFC 3986; a space is `%20`.
pub(crate) fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// An encoded query string in the making.
#[derive(Default)]
pub(crate) struct QueryString(pub(crate) String);

impl QueryString {
    pub(super) fn push(&mut self, name: &str, value: &str) {
        let separator = if self.0.is_empty() { "" } else { "&" };
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{separator}{}={}", percent_encode(name), percent_encode(value));
    }

    pub(crate) fn push_period(&mut self, period: Period) {
        for (name, end) in [("from", period.from()), ("to", period.to())] {
            if let Some(end) = end {
                self.push(name, &end.to_string());
            }
        }
    }
}

/// Reads the parameters of a drilldown: a window and nothing else.
///
/// # Errors
///
/// Every code of a window, `unknown_parameter` and `duplicate_parameter`.
pub fn parse_period(parameters: &Parameters) -> Result<Period, Error> {
    parameters.known(&["from", "to"], false)?;
    parameters.period()
}

/// Reads the parameters of an endpoint that takes none.
///
/// # Errors
///
/// `unknown_parameter`.
pub fn parse_nothing(parameters: &Parameters) -> Result<(), Error> {
    parameters.known(&[], false)
}
