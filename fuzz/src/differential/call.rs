//! Calls of a package, and their form in JSON.

use opencomputer_usage_core::client::Answer;
use opencomputer_usage_core::host::value::Raw;

use super::write::json_of;

/// A call of a package.
#[derive(Debug)]
pub enum Call {
    /// A function of the package, and its argument.
    Function(&'static str, Raw),
    /// A call of the API.
    Exchange(Exchange),
}

/// A call of the API, with the response and the change that it receives.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub(super) operation: String,
    pub(super) params: Raw,
    /// The response to its requests.
    pub(super) answer: Answer,
    /// The tags that the callback of an update returns.
    pub(super) to: Raw,
}

impl Call {
    /// Returns the name of the function or method.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Function(name, _) => name,
            Self::Exchange(exchange) => &exchange.operation,
        }
    }

    /// Returns the arguments of the call as JSON. A body has a character for each byte.
    pub(super) fn input(&self) -> String {
        match self {
            Self::Function(_, input) => json_of(input),
            Self::Exchange(Exchange { params, answer: Answer { status, headers, body }, to, .. }) => {
                let headers =
                    headers.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
                let body: String = body.iter().map(|byte| char::from(*byte)).collect();
                let answer = vec![
                    ("status".into(), Raw::Number(f64::from(*status))),
                    ("headers".into(), Raw::Map(headers)),
                    ("body".into(), body.as_str().into()),
                ];
                let input = [("params", params.clone()), ("answer", Raw::Map(answer)), ("to", to.clone())];
                json_of(&Raw::Map(input.map(|(name, value)| (name.into(), value)).into()))
            }
        }
    }
}
