//! The client, its builder and its calls.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::env;
use std::time::Duration;

use opencomputer_usage_core::client::{
    self, ClientError, Event, NextPage, Operation, OptionNames, Outcome, SandboxPage, SandboxTags, Step,
};
use opencomputer_usage_core::host::value::{Raw, Text};
use opencomputer_usage_core::tags::TagSet;
use opencomputer_usage_core::usage::dimension::Form;
use opencomputer_usage_core::wire::{
    GroupUsagePage, Sandbox, SandboxUsage, SandboxUsagePage, TagKey, TagUsagePage, TagValues,
};

use crate::call::{Call, Clock};
use crate::options::{DrilldownOptions, Params, SandboxQuery, TagValueQuery, UsageOptions};
use crate::transport::{Transport, TransportOptions};

/// The environment variable of the API key.
pub const API_KEY: &str = "OPENCOMPUTER_API_KEY";
/// The environment variable of the base URL.
pub const API_URL: &str = "OPENCOMPUTER_API_URL";

const USER_AGENT: &str = concat!("opencomputer-usage-rust/", env!("CARGO_PKG_VERSION"));

/// A client of the usage API. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Client {
    core: client::Client,
    transport: Transport,
}

/// Builds a [`Client`]. [`build`](Self::build) checks the options.
///
/// ```
/// use std::time::Duration;
///
/// let client = opencomputer_usage::Client::builder()
///     .api_key("oc_key")
///     .base_url("https://api.example.com")
///     .timeout(Duration::from_secs(10))
///     .max_retries(4)
///     .header("x-team", "billing")
///     .build()?;
/// # let _ = client;
/// # Ok::<(), opencomputer_usage::ClientError>(())
/// ```
#[derive(Clone, Default)]
pub struct Builder {
    options: Vec<(Text, Raw)>,
    headers: Vec<(Text, Raw)>,
    transport: TransportOptions,
}

impl Builder {
    fn set(mut self, name: &str, value: Raw) -> Self {
        self.options.retain(|(known, _)| known.as_str() != Some(name));
        self.options.push((name.into(), value));
        self
    }

    /// Sets the API key; by default the value of `OPENCOMPUTER_API_KEY`.
    #[must_use]
    pub fn api_key(self, key: impl AsRef<str>) -> Self {
        self.set("api_key", key.as_ref().into())
    }

    /// Sets the URL of the API, with or without `/api`; by default the value of `OPENCOMPUTER_API_URL`.
    #[must_use]
    pub fn base_url(self, url: impl AsRef<str>) -> Self {
        self.set("base_url", url.as_ref().into())
    }

    /// Limits the time of a call, including its retries; 30 s by default.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set("timeout", Raw::Number(timeout.as_secs_f64()))
    }

    /// Limits how often a failed request is retried; 2 by default.
    #[must_use]
    pub fn max_retries(self, retries: u32) -> Self {
        self.set("max_retries", Raw::Number(retries.into()))
    }

    /// Adds a header to every request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets certificates, a proxy, and timeouts for connecting and reading.
    #[must_use]
    pub fn transport(self, transport: TransportOptions) -> Self {
        Self { transport, ..self }
    }

    /// Builds the client. Reads the environment and certificates, and opens no connection.
    ///
    /// # Errors
    ///
    /// If the key or the base URL is missing, or if an option, the proxy or a certificate file cannot be used. The message
    /// does not contain the key.
    pub fn build(self) -> Result<Client, ClientError> {
        let headers = Raw::Map(self.headers);
        let mut options = self.options;
        for (name, variable) in [("api_key", API_KEY), ("base_url", API_URL)] {
            let given = options.iter().any(|(known, _)| known.as_str() == Some(name));
            if !given && let Some(value) = env::var(variable).ok().filter(|value| !value.is_empty()) {
                options.push((name.into(), value.as_str().into()));
            }
        }
        options.push(("headers".into(), headers));
        let core = client::Client::with_names(OptionNames::SNAKE_CASE, USER_AGENT, &Raw::Map(options))?;
        let transport = Transport::new(self.transport, core.base_url())?;
        Ok(Client { core, transport })
    }
}

impl Client {
    /// Creates a client with the default options.
    ///
    /// # Errors
    ///
    /// Those of [`Builder::build`].
    pub fn new(api_key: impl AsRef<str>, base_url: impl AsRef<str>) -> Result<Self, ClientError> {
        Self::builder().api_key(api_key).base_url(base_url).build()
    }

    /// Starts to build a client with other options.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Returns the usage calls.
    #[must_use]
    pub const fn usage(&self) -> Usage<'_> {
        Usage(self)
    }

    /// Returns the tag calls.
    #[must_use]
    pub const fn tags(&self) -> Tags<'_> {
        Tags(self)
    }

    /// Returns the sandbox calls.
    #[must_use]
    pub const fn sandboxes(&self) -> Sandboxes<'_> {
        Sandboxes(self)
    }

    async fn call<T: TryFrom<Outcome>>(&self, name: &str, params: Raw) -> Result<T, ClientError> {
        self.drive(parsed(name, params)?, unchanged).await.map(|(reply, _)| reply)
    }

    /// Fetches one page, and returns the parameters of the next.
    pub(crate) async fn page<P: TryFrom<Outcome>>(
        &self,
        name: &str,
        params: Params,
    ) -> Result<(P, Option<NextPage>), ClientError> {
        self.drive(parsed(name, params.into_raw())?, unchanged).await
    }

    /// Runs a call to its end; `change` computes the new tags of an update.
    async fn drive<T: TryFrom<Outcome>>(
        &self,
        operation: Operation,
        mut change: impl FnMut(&TagSet) -> Raw,
    ) -> Result<(T, Option<NextPage>), ClientError> {
        let clock = Clock::start();
        let mut call = Call::new(self.core.call(operation, clock.now_ms()), clock);
        let mut event = Event::Begin;
        loop {
            event = match call.carry(&self.transport, event).await {
                Step::Change { tags, .. } => Event::Changed(change(&tags)),
                Step::Done { value, next } => return Ok((T::try_from(value).map_err(|_| unexpected())?, next)),
                Step::Failed { error } => return Err(error),
                Step::Send { .. } | Step::Wait { .. } => return Err(unexpected()),
            };
        }
    }
}

/// Parses a call. Groups of one tag, and `sandbox`, have pages of their own types.
fn parsed(name: &str, params: Raw) -> Result<Operation, ClientError> {
    let operation = Operation::parse(name, params)?;
    match &operation {
        Operation::Usage(query, _) if name == "usage.by" && query.group_by.form() != Form::Groups => {
            Err(ClientError::usage("use `by_tag` to group by one tag alone, and `by_sandbox` to group by sandbox"))
        }
        _ => Ok(operation),
    }
}

/// Returns the error that stands in for a panic: the core returns the outcome that belongs to the call.
fn unexpected() -> ClientError {
    ClientError::usage("internal error: unexpected outcome of a call")
}

/// Usage calls. Amounts are GB-seconds.
#[derive(Clone, Copy, Debug)]
pub struct Usage<'a>(pub(crate) &'a Client);

impl Usage<'_> {
    /// Returns one page of usage by the values of a tag.
    ///
    /// `key` is the key alone, such as `team`. `tag:team` is the key of another tag.
    pub async fn by_tag(&self, key: &str, options: impl Borrow<UsageOptions>) -> Result<TagUsagePage, ClientError> {
        self.0.call("usage.by_tag", options.borrow().by_tag(key).into_raw()).await
    }

    /// Returns one page of usage by sandbox.
    pub async fn by_sandbox(&self, options: impl Borrow<UsageOptions>) -> Result<SandboxUsagePage, ClientError> {
        self.0.call("usage.by_sandbox", options.borrow().params().into_raw()).await
    }

    /// Returns one page of usage by one to three dimensions: `tag:<key>`, `template`, `region` and `status`.
    ///
    /// One tag alone, and `sandbox`, have calls of their own: [`by_tag`](Self::by_tag) and
    /// [`by_sandbox`](Self::by_sandbox).
    ///
    /// ```no_run
    /// # async fn example(client: opencomputer_usage::Client) -> Result<(), opencomputer_usage::ClientError> {
    /// use opencomputer_usage::{Interval, UsageOptions};
    ///
    /// let options = UsageOptions::new().from("2026-03-01").to("2026-04-01").interval(Interval::Week);
    /// let page = client.usage().by(["tag:team", "region"], options).await?;
    /// for item in page.items {
    ///     let weeks = item.series.map(|series| series.memory_gb_seconds);
    ///     println!("{:?} in {:?}: {weeks:?} GB-seconds", item.group.get("tag:team"), item.group.get("region"));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn by<D: AsRef<str>>(
        &self,
        dimensions: impl IntoIterator<Item = D>,
        options: impl Borrow<UsageOptions>,
    ) -> Result<GroupUsagePage, ClientError> {
        self.0.call("usage.by", options.borrow().by(dimensions).into_raw()).await
    }

    /// Returns the usage of one sandbox; with an interval, also a point for each bucket.
    pub async fn for_sandbox(
        &self,
        sandbox_id: &str,
        options: impl Borrow<DrilldownOptions>,
    ) -> Result<SandboxUsage, ClientError> {
        self.0.call("usage.for_sandbox", options.borrow().params(sandbox_id).into_raw()).await
    }
}

/// Tag calls.
#[derive(Clone, Copy, Debug)]
pub struct Tags<'a>(pub(crate) &'a Client);

impl Tags<'_> {
    /// Returns every tag key in use, ordered by its UTF-8 bytes.
    pub async fn list_keys(&self) -> Result<Vec<TagKey>, ClientError> {
        self.0.call("tags.list_keys", Raw::Undefined).await
    }

    /// Returns one page of the values of a tag, ordered by their UTF-8 bytes.
    pub async fn list_values(&self, key: &str, query: impl Borrow<TagValueQuery>) -> Result<TagValues, ClientError> {
        self.0.call("tags.list_values", query.borrow().params(key).into_raw()).await
    }

    /// Returns the tags of one sandbox, and the entity tag to write them back with.
    pub async fn get(&self, sandbox_id: &str) -> Result<SandboxTags, ClientError> {
        self.0.call("tags.get", sandbox(sandbox_id)).await
    }

    /// Replaces the user's tags of one sandbox; with `if_match`, only if they have not changed since.
    ///
    /// Prefer [`update`](Self::update), which reads, changes and writes. `if_match` is
    /// [`SandboxTags::condition`]; with `None`, the last writer wins.
    pub async fn set(
        &self,
        sandbox_id: &str,
        tags: &BTreeMap<String, String>,
        if_match: Option<&str>,
    ) -> Result<SandboxTags, ClientError> {
        let params = [
            ("sandboxId".into(), sandbox_id.into()),
            ("tags".into(), to_raw(tags)),
            ("ifMatch".into(), if_match.map_or(Raw::Undefined, Raw::from)),
        ];
        self.0.call("tags.set", Raw::Map(params.into())).await
    }

    /// Reads the user's tags, changes them and writes them back.
    ///
    /// Starts over if another writer came first, until the call times out. `change` may be called more than once, so it
    /// must be pure.
    pub async fn update(
        &self,
        sandbox_id: &str,
        mut change: impl FnMut(BTreeMap<String, String>) -> BTreeMap<String, String>,
    ) -> Result<SandboxTags, ClientError> {
        let operation = Operation::parse("tags.update", sandbox(sandbox_id))?;
        self.0.drive(operation, |tags| to_raw(&change(tags.to_map()))).await.map(|(reply, _)| reply)
    }
}

/// Sandbox calls.
#[derive(Clone, Copy, Debug)]
pub struct Sandboxes<'a>(pub(crate) &'a Client);

impl Sandboxes<'_> {
    /// Returns one page of sandboxes, newest first; by default the newest 100 running.
    ///
    /// ```no_run
    /// # async fn example(client: opencomputer_usage::Client) -> Result<(), opencomputer_usage::ClientError> {
    /// use opencomputer_usage::SandboxQuery;
    ///
    /// for sandbox in client.sandboxes().list(SandboxQuery::new()).await?.items {
    ///     println!("{} is {}", sandbox.sandbox_id, sandbox.status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list(&self, query: impl Borrow<SandboxQuery>) -> Result<SandboxPage, ClientError> {
        self.0.call("sandboxes.list", query.borrow().0.clone().into_raw()).await
    }

    /// Returns one sandbox.
    pub async fn get(&self, sandbox_id: &str) -> Result<Sandbox, ClientError> {
        self.0.call("sandboxes.get", sandbox(sandbox_id)).await
    }
}

/// The `change` of calls other than `update`. It is never called.
fn unchanged(tags: &TagSet) -> Raw {
    to_raw(&tags.to_map())
}

fn sandbox(id: &str) -> Raw {
    Raw::Map(vec![("sandboxId".into(), id.into())])
}

fn to_raw(tags: &BTreeMap<String, String>) -> Raw {
    Raw::Map(tags.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect())
}
