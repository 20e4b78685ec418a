//! A usage query: from the parameters of a URL or the options of an SDK, and back.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::accounting::Rule;
use crate::cursor::{self, Cursor};
use crate::dimension::Dimension;
use crate::error::{Code, Error, quoted};
use crate::filter::{self, Filter, Filters};
use crate::limits::{DEFAULT_PAGE_LIMIT, MAX_PAGE_LIMIT, MAX_QUERY_BYTES};
use crate::paging::{Plan, Position};
use crate::raw::{Raw, Text};
use crate::window::{Period, Timestamp};
use crate::{sandbox, tags};

/// What items are ordered by, descending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// `-memoryGbSeconds`
    #[default]
    Memory,
    /// `-diskOverageGbSeconds`
    DiskOverage,
}

impl Sort {
    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "-memoryGbSeconds",
            Self::DiskOverage => "-diskOverageGbSeconds",
        }
    }

    fn parse(text: &str) -> Result<Self, Error> {
        [Self::Memory, Self::DiskOverage].into_iter().find(|sort| sort.as_str() == text).ok_or_else(|| {
            let text = quoted(text);
            Code::InvalidSort.error(format!(
                "invalid `sort` {text}, allowed are `-memoryGbSeconds` and `-diskOverageGbSeconds`"
            ))
        })
    }
}

/// How many items a page holds: 1 to 500, by default 50.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(usize);

impl Limit {
    /// The number of items.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }

    fn parse(text: &str) -> Result<Self, Error> {
        text.parse()
            .ok()
            .filter(|limit: &usize| (1..=MAX_PAGE_LIMIT).contains(limit) && limit.to_string() == text)
            .map(Self)
            .ok_or_else(|| invalid_limit(&quoted(text)))
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(DEFAULT_PAGE_LIMIT)
    }
}

/// A cursor that was read, with the text that goes out again unchanged.
#[derive(Clone, Debug, PartialEq)]
pub struct CursorText {
    text: String,
    cursor: Cursor,
}

impl CursorText {
    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn parse(text: &str) -> Result<Self, Error> {
        Ok(Self { text: text.to_owned(), cursor: Cursor::decode(text)? })
    }
}

/// A valid query for aggregated usage.
///
/// ```
/// use opencomputer_usage_core::query::{Parameters, UsageQuery};
///
/// let query = UsageQuery::parse(&Parameters::decode("groupBy=tag:team&filter[tag:env]=prod&limit=10"), None)?;
/// assert_eq!(query.encode(), "groupBy=tag%3Ateam&filter%5Btag%3Aenv%5D=prod&limit=10");
/// # Ok::<(), opencomputer_usage_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct UsageQuery {
    /// What items are.
    pub group_by: Dimension,
    /// What is kept.
    pub filters: Filters,
    /// The window as asked for.
    pub period: Period,
    /// The order of items.
    pub sort: Sort,
    /// The size of a page.
    pub limit: Limit,
    /// Where to go on.
    pub cursor: Option<CursorText>,
}

impl UsageQuery {
    /// Reads parameters, in the order of checks of the contract's section 7; the first fault is the answer.
    /// With `now` (the server's asOf) a window that was left open is checked as it will be measured; without
    /// it (in a client) only what was given is.
    ///
    /// # Errors
    ///
    /// Every code of a query, from `unknown_parameter` to `invalid_cursor`.
    pub fn parse(parameters: &Parameters, now: Option<Timestamp>) -> Result<Self, Error> {
        parameters.known(&["groupBy", "from", "to", "sort", "limit", "cursor"], true)?;
        let group_by = match parameters.scalar("groupBy") {
            None => return Err(Code::MissingGroupBy.plain()),
            Some(Ok(text)) => text.parse()?,
            Some(Err(fault)) => return Err(Code::InvalidGroupBy.error(format!("invalid `groupBy`: {fault}"))),
        };
        let filters = parameters.filters()?;
        let cursor = parameters.read("cursor", Code::InvalidCursor, CursorText::parse);
        let period = parameters.period()?;
        let pinned = matches!(&cursor, Ok(Some(CursorText { cursor, .. })) if cursor.walk.is_some());
        if let (Some(now), false) = (now, pinned) {
            period.resolve(now)?;
        }
        let sort = parameters.read("sort", Code::InvalidSort, Sort::parse)?.unwrap_or_default();
        let limit = parameters.read("limit", Code::InvalidLimit, Limit::parse)?.unwrap_or_default();
        Ok(Self { group_by, filters, period, sort, limit, cursor: cursor? })
    }

    /// The encoded query string. Defaults are left out; parsing it gives the same query.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut query = QueryString::default();
        query.push("groupBy", &self.group_by.to_string());
        for (dimension, filter) in self.filters.iter() {
            query.push(&format!("filter[{dimension}]"), &filter.write());
        }
        query.push_period(self.period);
        if self.sort != Sort::default() {
            query.push("sort", self.sort.as_str());
        }
        if self.limit != Limit::default() {
            query.push("limit", &self.limit.0.to_string());
        }
        if let Some(cursor) = &self.cursor {
            query.push("cursor", &cursor.text);
        }
        query.0
    }

    /// What the server measures: the window and instant of the cursor's walk, or those of a new one.
    ///
    /// # Errors
    ///
    /// `invalid_cursor` for one of another query, `invalid_window` or `window_too_large`.
    pub fn plan(&self, now: Timestamp, rule: Rule) -> Result<Plan, Error> {
        let digest = self.digest(rule);
        let (window, as_of, after) = match self.cursor.as_ref().map(|text| &text.cursor) {
            None => (self.period.resolve(now)?, now, None),
            Some(Cursor { value, tie, walk: None }) => {
                let after = Position::Approximate { value: *value, tie: self.tie(tie)? };
                (self.period.resolve(now)?, now, Some(after))
            }
            Some(Cursor { tie, walk: Some(walk), .. }) => {
                if walk.digest != digest {
                    return Err(cursor::invalid("it belongs to another query"));
                }
                let moved = |given: Option<Timestamp>, pinned| given.is_some_and(|given| given != pinned);
                if moved(self.period.from(), walk.window.from()) || moved(self.period.to(), walk.window.to()) {
                    return Err(cursor::invalid("it belongs to a walk over another window"));
                }
                let after = Position::Exact { sum: walk.sum, tie: self.tie(tie)? };
                (walk.window, walk.as_of, Some(after))
            }
        };
        Ok(Plan { query: self.clone(), window, as_of, rule, after, digest })
    }

    /// The tie-break of a cursor must be one that an item of this query can have.
    fn tie(&self, tie: &str) -> Result<String, Error> {
        let fault = match self.group_by {
            Dimension::Sandbox => sandbox::fault(tie),
            Dimension::Tag(_) => tags::value_fault(tie),
        };
        fault.map_or_else(|| Ok(tie.to_owned()), |fault| Err(cursor::invalid(&fault)))
    }

    /// 16 hex digits that tell this walk's query from another: SHA-256 over length-prefixed fields.
    fn digest(&self, rule: Rule) -> String {
        let mut hash = Sha256::new();
        let mut field = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        let mut filters: Vec<_> = self.filters.iter().collect();
        filters.sort_by_key(|(dimension, _)| *dimension);
        field(&self.group_by.to_string());
        for (dimension, filter) in filters {
            field(&dimension.to_string());
            if let Filter::AnyOf(values) = filter {
                let mut values: Vec<_> = values.iter().collect();
                values.sort();
                for value in values {
                    field(&format!("={value}"));
                }
            }
        }
        field(self.sort.as_str());
        field(rule.as_str());
        hex(hash.finalize().iter().take(8))
    }
}

/// Lower-case hex.
pub(crate) fn hex<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    bytes.fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

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
                    let fault = format!("filters must be an object, got {}", value.kind());
                    parameters.filters.push((String::new(), FilterGiven::Wire(Err(fault))));
                    continue;
                }
                ("limit", Raw::Number(limit)) => Ok(limit.to_string()),
                ("limit", value) => Err(format!("it must be a number, got {}", value.kind())),
                (_, value) => text_of(&value),
            };
            parameters.scalars.push((name.to_string(), value));
        }
        parameters
    }

    /// Adds a parameter that the caller has already read.
    #[must_use]
    pub fn with(mut self, name: &str, value: Given) -> Self {
        self.scalars.push((name.to_owned(), value));
        self
    }

    /// Refuses what the endpoint does not know, then what is given twice.
    pub(crate) fn known(&self, names: &[&str], filters: bool) -> Result<(), Error> {
        let unknown = |name: &str| {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            let allowed = match (names.is_empty(), filters) {
                (true, _) => "none is allowed here".to_owned(),
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

    fn read<T>(
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

    fn filters(&self) -> Result<Filters, Error> {
        let mut filters = Filters::default();
        for (name, given) in &self.filters {
            let invalid = |fault: &str| filter::invalid(name, fault);
            let dimension = Dimension::parse(name).map_err(|fault| invalid(&fault))?;
            let filter = match given {
                FilterGiven::Absent => Filter::parse(&dimension, "")?,
                FilterGiven::Wire(Ok(text)) => Filter::parse(&dimension, text)?,
                FilterGiven::Wire(Err(fault)) => return Err(invalid(fault)),
                FilterGiven::Exact(values) => {
                    let values: Option<Vec<_>> =
                        values.iter().map(|value| value.as_str().map(str::to_owned)).collect();
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
            other => Self::Wire(Err(format!(
                "allowed are an array of strings, null and a string, got {}",
                other.kind()
            ))),
        }
    }
}

/// The text of an option that must be a string.
pub(crate) fn text_of(value: &Raw) -> Given {
    match value {
        Raw::Text(Text::Unicode(text)) => Ok(text.clone()),
        Raw::Text(Text::Broken(_)) => Err("it contains a lone surrogate".to_owned()),
        other => Err(format!("it must be a string, got {}", other.kind())),
    }
}

fn invalid_limit(got: &str) -> Error {
    Code::InvalidLimit.error(format!("invalid `limit` {got}, allowed are whole numbers from 1 to {MAX_PAGE_LIMIT}"))
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
    fn push(&mut self, name: &str, value: &str) {
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
