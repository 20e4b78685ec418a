//! Decodes response bodies without the GIL.

use std::mem;

use bytes::Bytes;
use opencomputer_usage_core::client::{self, Answer, Host, JsonValue, Outcome, Reply, Value as _};
use serde::de::DeserializeOwned;

use crate::decode::source::{self, Page, Source};

/// The result of a call. The items of a page of usage by sandbox stay encoded until they are read.
pub type Value = Outcome<SandboxesPage>;

/// A page of usage by sandbox, with the text of its items.
pub struct SandboxesPage(pub Page, pub Source);

impl Host for SandboxesPage {
    fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
        source::decode(body).ok_or_else(String::new)
    }

    fn decode_page(body: &mut Vec<u8>) -> Result<Self, String> {
        let text = Bytes::from(mem::take(body));
        let page = source::page(text.clone()).map(|(page, source)| Self(page, source));
        page.ok_or_else(|| {
            *body = text.into();
            String::new()
        })
    }

    fn taken_body(&self) -> Option<&[u8]> {
        Some(self.1.body())
    }

    fn page(&self) -> client::Page {
        (&self.0).into()
    }

    /// Describes the fault with the message of the core, which is the same in every language.
    fn explain(reply: Reply, body: &[u8], _: String) -> String {
        /// The core reads a body as a tree, which may take many times its size.
        const EXPLAINED: usize = 1 << 20;
        if body.len() > EXPLAINED {
            return "it is not valid JSON, or has the wrong type".to_owned();
        }
        let mut answer = Answer { body: body.to_vec(), ..Answer::default() };
        JsonValue::read(reply, &mut answer).err().unwrap_or_else(|| "it has the wrong type".to_owned())
    }
}

/// Reads a body that was not part of a call.
pub fn decode(reply: Reply, body: Bytes) -> Result<Value, String> {
    Value::read(reply, &mut Answer { body: body.into(), ..Answer::default() })
}
