//! Parameters of a URL or of an SDK call, before any rule is applied.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::error::{Code, Error, quoted};
use crate::host::value::{Given, Raw, Text, text_of};
use crate::limits::MAX_QUERY_BYTES;

/// The parameters of one request.
#[derive(Default)]
pub struct Parameters {
    scalars: Vec<(String, Scalar)>,
    /// The map parameters of a URL, such as `filter[tag:env]=prod`, as name, key and value.
    entries: Vec<(String, String, Scalar)>,
    /// A scalar that the call implies and that its options must not contain.
    implied: Option<(&'static str, Scalar)>,
    /// The names of options that are null or undefined.
    absent: Vec<String>,
    /// True for the options of an SDK, false for query parameters.
    are_options: bool,
    /// Whether a name was not valid UTF-8.
    unnamed: bool,
}

/// The value of a parameter.
pub(crate) enum Scalar {
    /// The decoded value of a URL parameter.
    Wire(Given),
    /// The value of an SDK option.
    Option(Raw),
}

impl Scalar {
    /// Returns the text of a value that must be a string.
    pub(crate) fn text(&self) -> Result<Cow<'_, str>, String> {
        match self {
            Self::Wire(text) => text.as_deref().map(Cow::Borrowed).map_err(Clone::clone),
            Self::Option(value) => text_of(value).map(Cow::Owned),
        }
    }
}

/// The names of the parameters that an endpoint takes.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Parameters that are written `name=value`.
    pub scalars: &'static [&'static str],
    /// Parameters that are written `name[key]=value`.
    pub maps: &'static [&'static str],
}

/// The parameters of an endpoint that takes none.
pub(crate) const NOTHING: Names = Names { scalars: &[], maps: &[] };

impl Parameters {
    /// Splits and decodes the query string of a URL. `+` is a space. A `%` that does not start an escape is kept.
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
            match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
                Some((map, key)) => parameters.entries.push((map.to_owned(), key.to_owned(), Scalar::Wire(value))),
                None => parameters.scalars.push((name, Scalar::Wire(value))),
            }
        }
        parameters
    }

    /// Converts the options of an SDK call. An option that is null or undefined counts as missing.
    #[must_use]
    pub fn from_options(options: Vec<(Text, Raw)>) -> Self {
        let mut parameters = Self { are_options: true, ..Self::default() };
        for (name, value) in options {
            if value.is_absent() {
                parameters.absent.push(name.to_string());
            } else {
                parameters.scalars.push((name.to_string(), Scalar::Option(value)));
            }
        }
        parameters
    }

    /// Adds a scalar that the call implies.
    pub(super) fn implying(mut self, name: &'static str, value: Given) -> Self {
        self.implied = Some((name, Scalar::Wire(value)));
        self
    }

    /// Rejects unknown names, then repeated ones.
    pub(crate) fn check_names(&self, names: Names) -> Result<(), Error> {
        let implied = self.implied.as_ref().map(|(name, _)| *name);
        let scalars = || names.scalars.iter().copied().filter(|name| Some(*name) != implied);
        let unknown = |name: &str| {
            let end = if self.are_options { "`" } else { "[…]`" };
            let scalars = scalars().map(|name| format!("`{name}`"));
            let maps = names.maps.iter().map(|name| format!("`{name}{end}"));
            let allowed = listed(&scalars.chain(maps).collect::<Vec<_>>(), !names.maps.is_empty());
            Code::UnknownParameter.error(format!("unknown parameter {name}, {allowed}"))
        };
        if self.unnamed {
            return Err(unknown("with a name that is not valid UTF-8"));
        }
        let is_known =
            |name: &str| scalars().any(|known| known == name) || (self.are_options && names.maps.contains(&name));
        let mut given = self.scalars.iter().map(|(name, _)| name).chain(&self.absent);
        if let Some(name) = given.find(|name| !is_known(name)) {
            return Err(unknown(&quoted(name)));
        }
        if let Some((map, key, _)) = self.entries.iter().find(|(map, ..)| !names.maps.contains(&map.as_str())) {
            return Err(unknown(&quoted(&format!("{map}[{key}]"))));
        }
        let times = |name: &&str| self.scalars.iter().filter(|(given, _)| given == name).count();
        match names.scalars.iter().find(|name| times(name) > 1) {
            Some(name) => Err(Code::DuplicateParameter.error(format!("parameter `{name}` is given twice"))),
            None => Ok(()),
        }
    }

    /// Returns the value of a parameter that was given or implied.
    pub(crate) fn scalar(&self, name: &str) -> Option<&Scalar> {
        let implied = self.implied.as_ref().filter(|(implied, _)| *implied == name).map(|(_, value)| value);
        implied.or_else(|| self.scalars.iter().find(|(given, _)| given == name).map(|(_, value)| value))
    }

    /// Parses a string parameter, if it was given.
    pub(crate) fn read<T>(
        &self,
        name: &str,
        code: Code,
        parse: impl FnOnce(&str) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match self.scalar(name).map(Scalar::text) {
            None => Ok(None),
            Some(Ok(text)) => parse(&text).map(Some),
            Some(Err(fault)) => Err(code.error(format!("invalid `{name}`: {fault}"))),
        }
    }

    /// Returns the entries of a map parameter of a URL, as key and value.
    pub(crate) fn entries(&self, name: &str) -> impl Iterator<Item = (&str, &Scalar)> {
        self.entries.iter().filter(move |(map, ..)| map == name).map(|(_, key, value)| (key.as_str(), value))
    }
}

/// Lists the names that an endpoint allows. A map is the last of them.
fn listed(names: &[String], has_maps: bool) -> String {
    match names {
        [] => "this endpoint takes no parameters".to_owned(),
        [others @ .., last] if has_maps && !others.is_empty() => {
            format!("allowed: {} and {last}", others.join(", "))
        }
        names => format!("allowed: {}", names.join(", ")),
    }
}

/// Checks the parameters of an endpoint that takes none.
///
/// # Errors
///
/// `unknown_parameter`.
pub fn parse_nothing(parameters: &Parameters) -> Result<(), Error> {
    parameters.check_names(NOTHING)
}

/// Rejects an encoded query string that is longer than the contract allows.
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
