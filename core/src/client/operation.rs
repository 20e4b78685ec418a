//! The calls of the API, with their parameters checked before anything is sent.

use super::config::{Request, is_header_value, unknown_option};
use super::{Client, ClientError, Walk};
use crate::error::{Code, Error};
use crate::host::json::ToJson as _;
use crate::host::value::{Raw, Text, text_of};
use crate::operations::Endpoint;
use crate::query::{self, DrilldownQuery, Parameters, SandboxesQuery, TagValuesQuery, UsageQuery};
use crate::sandbox::SandboxId;
use crate::tags::TagSet;
use crate::usage::dimension::{Dimension, Form};
use crate::wire::reply::Reply;

/// One call with valid parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// `GET /api/usage`, as a page of a walk
    Usage(Box<UsageQuery>, Walk),
    /// `GET /api/sandboxes/{id}/usage`
    SandboxUsage(SandboxId, DrilldownQuery),
    /// `GET /api/tags`
    ListTagKeys,
    /// `GET /api/tags/{key}`, as a page of a walk
    ListTagValues(Box<TagValuesQuery>, Walk),
    /// `GET /api/sandboxes/{id}/tags`
    GetTags(SandboxId),
    /// `PUT /api/sandboxes/{id}/tags`, with `If-Match` if one is given.
    SetTags(SandboxId, TagSet, Option<String>),
    /// Reads, changes and writes back the tags.
    UpdateTags(SandboxId),
    /// `GET /api/sandboxes`, as a page of a walk
    ListSandboxes(Box<SandboxesQuery>, Walk),
    /// `GET /api/sandboxes/{id}`
    GetSandbox(SandboxId),
}

impl Operation {
    /// Parses a call of a dynamic language: the dotted name of the method and its parameters by wire name.
    ///
    /// ```
    /// use opencomputer_usage_core::{client::Operation, host::value::Raw};
    ///
    /// let params = Raw::Map(vec![("key".into(), "team".into()), ("limt".into(), Raw::Number(5.0))]);
    /// let error = Operation::parse("usage.by_tag", params).unwrap_err();
    /// assert_eq!(error.code.as_deref(), Some("unknown_parameter"));
    /// ```
    ///
    /// # Errors
    ///
    /// The errors with which the server would reject the call, with the same codes and messages.
    pub fn parse(name: &str, params: Raw) -> Result<Self, ClientError> {
        let mut params = Params::new(params)?;
        Ok(match name {
            "usage.by_tag" => {
                let key = text_of(&params.take("key"));
                params.usage(Some(key.map(|key| format!("tag:{key}"))))?
            }
            "usage.by_sandbox" => params.usage(Some(Ok(Dimension::Sandbox.to_string())))?,
            "usage.by" => params.usage(None)?,
            "usage.for_sandbox" => {
                let sandbox = params.sandbox()?;
                Self::SandboxUsage(sandbox, DrilldownQuery::parse(&Parameters::from_options(params.0), None)?)
            }
            "tags.list_keys" => params.none_left(&[]).map(|()| Self::ListTagKeys)?,
            "tags.list_values" => {
                let key = text_of(&params.take("key"));
                let key = key.map_err(|fault| Code::InvalidTagKey.error(format!("invalid tag key: {fault}")))?;
                let key = TagValuesQuery::parse_key(&key)?;
                let walk = Walk::take(&mut params.0)?;
                let query = TagValuesQuery::parse(key, &Parameters::from_options(params.0))?;
                Self::ListTagValues(Box::new(query), walk)
            }
            "tags.get" => Self::GetTags(params.last_sandbox()?),
            "tags.set" => {
                let sandbox = params.sandbox()?;
                let (tags, if_match) = (params.take("tags"), params.take("ifMatch"));
                params.none_left(&["sandboxId", "tags", "ifMatch"])?;
                Self::SetTags(sandbox, TagSet::parse(&tags)?, entity_tag(&if_match)?)
            }
            "tags.update" => Self::UpdateTags(params.last_sandbox()?),
            "sandboxes.list" => {
                let walk = Walk::take(&mut params.0)?;
                let query = SandboxesQuery::parse(&Parameters::from_options(params.0))?;
                query::check_length(&query.encode())?;
                Self::ListSandboxes(Box::new(query), walk)
            }
            "sandboxes.get" => Self::GetSandbox(params.last_sandbox()?),
            _ => return Err(ClientError::usage(format!("unknown operation `{name}`"))),
        })
    }

    /// Returns the kind of the response.
    pub(super) fn reply(&self) -> Reply {
        match self {
            Self::Usage(query, _) => match query.group_by.form() {
                Form::Tag(_) => Reply::TagUsage,
                Form::Sandboxes => Reply::SandboxUsagePage,
                Form::Groups => Reply::GroupUsage,
            },
            Self::SandboxUsage(..) => Reply::SandboxUsage,
            Self::ListTagKeys => Reply::TagKeys,
            Self::GetTags(_) | Self::SetTags(..) | Self::UpdateTags(_) => Reply::Tags,
            Self::ListTagValues(..) => Reply::TagValues,
            Self::ListSandboxes(..) => Reply::Sandboxes,
            Self::GetSandbox(_) => Reply::Sandbox,
        }
    }

    /// Returns the sandbox that the response must describe.
    pub(super) const fn sandbox(&self) -> Option<&SandboxId> {
        match self {
            Self::SandboxUsage(sandbox, _) | Self::GetSandbox(sandbox) => Some(sandbox),
            _ => None,
        }
    }

    /// Builds the read request.
    pub(super) fn read(&self, client: &Client) -> Result<Request, Error> {
        let get = |endpoint, sandbox: Option<&SandboxId>| {
            client.request(endpoint, sandbox.map(SandboxId::as_str), String::new())
        };
        Ok(match self {
            Self::Usage(usage, _) => {
                let query = usage.encode();
                query::check_length(&query)?;
                client.request(Endpoint::GetUsage, None, query)
            }
            Self::SandboxUsage(sandbox, query) => {
                client.request(Endpoint::GetSandboxUsage, Some(sandbox.as_str()), query.encode())
            }
            Self::ListTagKeys => get(Endpoint::GetTagKeys, None),
            Self::GetTags(sandbox) | Self::SetTags(sandbox, ..) | Self::UpdateTags(sandbox) => {
                get(Endpoint::GetSandboxTags, Some(sandbox))
            }
            Self::ListTagValues(values, _) => {
                client.request(Endpoint::GetTagValues, Some(values.key.as_str()), values.encode())
            }
            Self::ListSandboxes(sandboxes, _) => client.request(Endpoint::ListSandboxes, None, sandboxes.encode()),
            Self::GetSandbox(sandbox) => get(Endpoint::GetSandbox, Some(sandbox)),
        })
    }
}

/// Builds the request that replaces a sandbox's tags.
pub(super) fn write(client: &Client, sandbox: &SandboxId, tags: &TagSet, if_match: Option<&str>) -> Request {
    let mut request = client.request(Endpoint::ReplaceSandboxTags, Some(sandbox.as_str()), String::new());
    request.headers.push(("content-type".to_owned(), "application/json".to_owned()));
    if let Some(if_match) = if_match {
        request.headers.push(("if-match".to_owned(), if_match.to_owned()));
    }
    request.body = Some(tags.to_json());
    request
}

fn entity_tag(value: &Raw) -> Result<Option<String>, ClientError> {
    if value.is_absent() {
        return Ok(None);
    }
    let text = text_of(value).ok().filter(|text| !text.is_empty() && is_header_value(text));
    text.map(Some).ok_or_else(|| ClientError::usage("the entity tag to match must be a string of visible ASCII"))
}

/// Parameters, taken one by one.
struct Params(Vec<(Text, Raw)>);

impl Params {
    fn new(params: Raw) -> Result<Self, ClientError> {
        match params {
            Raw::Map(entries) => Ok(Self(entries)),
            absent if absent.is_absent() => Ok(Self(Vec::new())),
            odd => Err(ClientError::usage(format!("parameters must be an object, got {}", odd.kind()))),
        }
    }

    fn take(&mut self, name: &str) -> Raw {
        let position = self.0.iter().position(|(given, _)| given.as_str() == Some(name));
        position.map_or(Raw::Undefined, |position| self.0.swap_remove(position).1)
    }

    fn sandbox(&mut self) -> Result<SandboxId, Error> {
        let id = text_of(&self.take("sandboxId"));
        id.map_err(|fault| Code::InvalidSandboxId.error(format!("invalid sandbox id: {fault}")))?.parse()
    }

    fn last_sandbox(mut self) -> Result<SandboxId, ClientError> {
        let sandbox = self.sandbox()?;
        self.none_left(&["sandboxId"])?;
        Ok(sandbox)
    }

    fn none_left(&self, names: &[&str]) -> Result<(), ClientError> {
        match self.0.first() {
            Some((name, _)) => Err(unknown_option(&name.to_string(), names)),
            None => Ok(()),
        }
    }

    /// Parses a query for usage, whose dimensions may be implied by the call.
    fn usage(mut self, group_by: Option<Result<String, String>>) -> Result<Operation, Error> {
        let walk = Walk::take(&mut self.0)?;
        let options = Parameters::from_options(self.0);
        let parameters = match group_by {
            Some(group_by) => options.grouped_by(group_by),
            None => options,
        };
        let query = UsageQuery::parse(&parameters, None)?;
        query::check_length(&query.encode())?;
        Ok(Operation::Usage(Box::new(query), walk))
    }
}
