//! Walks over every page of a query. A walk over usage stays in one window and at one `asOf`.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::marker::PhantomData;

use opencomputer_usage_core::client::{ClientError, Outcome, SandboxPage};
use opencomputer_usage_core::wire::{
    GroupUsageItem, GroupUsagePage, Sandbox, SandboxUsageItem, SandboxUsagePage, TagUsageItem, TagUsagePage, TagValue,
    TagValues,
};

use crate::client::{Client, Sandboxes, Tags, Usage};
use crate::options::{Params, SandboxQuery, TagValueQuery, UsageOptions};

/// A page of items.
pub trait Page: TryFrom<Outcome> {
    /// An item of the page.
    type Item;

    /// Returns the items of this page.
    fn into_items(self) -> Vec<Self::Item>;
}

macro_rules! page {
    ($page:ty, $items:ident: $item:ty) => {
        impl Page for $page {
            type Item = $item;

            fn into_items(self) -> Vec<$item> {
                self.$items
            }
        }
    };
}

page!(TagUsagePage, items: TagUsageItem);
page!(GroupUsagePage, items: GroupUsageItem);
page!(SandboxUsagePage, items: SandboxUsageItem);
page!(TagValues, values: TagValue);
page!(SandboxPage, items: Sandbox);

impl<'a> Usage<'a> {
    /// Walks over the usage by the values of a tag.
    #[must_use]
    pub fn walk_by_tag(&self, key: &str, options: impl Borrow<UsageOptions>) -> Walk<'a, TagUsagePage> {
        Walk::new(self.0, "usage.by_tag", options.borrow().by_tag(key))
    }

    /// Walks over the usage by sandbox.
    #[must_use]
    pub fn walk_by_sandbox(&self, options: impl Borrow<UsageOptions>) -> Walk<'a, SandboxUsagePage> {
        Walk::new(self.0, "usage.by_sandbox", options.borrow().params())
    }

    /// Walks over the usage by one to three dimensions; see [`by`](Self::by).
    #[must_use]
    pub fn walk_by<D: AsRef<str>>(
        &self,
        dimensions: impl IntoIterator<Item = D>,
        options: impl Borrow<UsageOptions>,
    ) -> Walk<'a, GroupUsagePage> {
        Walk::new(self.0, "usage.by", options.borrow().by(dimensions))
    }
}

impl<'a> Tags<'a> {
    /// Walks over the values of a tag.
    ///
    /// ```no_run
    /// # async fn example(client: opencomputer_usage::Client) -> Result<(), opencomputer_usage::ClientError> {
    /// use opencomputer_usage::TagValueQuery;
    ///
    /// let mut values = client.tags().walk_values("team", TagValueQuery::new().prefix("pay"));
    /// while let Some(value) = values.next().await? {
    ///     println!("{} has {} sandboxes", value.value, value.sandbox_count);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn walk_values(&self, key: &str, query: impl Borrow<TagValueQuery>) -> Walk<'a, TagValues> {
        Walk::new(self.0, "tags.list_values", query.borrow().params(key))
    }
}

impl<'a> Sandboxes<'a> {
    /// Walks over sandboxes, newest first.
    ///
    /// ```no_run
    /// # async fn example(client: opencomputer_usage::Client) -> Result<(), opencomputer_usage::ClientError> {
    /// use opencomputer_usage::{SandboxQuery, State};
    ///
    /// let query = SandboxQuery::new().filter("tag:team", ["payments"]).state(State::All);
    /// let mut sandboxes = client.sandboxes().walk(query);
    /// while let Some(sandbox) = sandboxes.next().await? {
    ///     println!("{} is {}", sandbox.sandbox_id, sandbox.status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn walk(&self, query: impl Borrow<SandboxQuery>) -> Walk<'a, SandboxPage> {
        Walk::new(self.0, "sandboxes.list", query.borrow().0.clone())
    }
}

/// A walk over pages. Each page is fetched when its first item is needed.
#[derive(Debug)]
pub struct Walk<'a, P: Page> {
    client: &'a Client,
    call: &'static str,
    /// The parameters of the next page; `None` after the last.
    params: Option<Params>,
    items: VecDeque<P::Item>,
    page: PhantomData<P>,
}

impl<'a, P: Page> Walk<'a, P> {
    fn new(client: &'a Client, call: &'static str, params: Params) -> Self {
        Self { client, call, params: Some(params), items: VecDeque::new(), page: PhantomData }
    }

    /// Fetches the next page, or returns `None` after the last.
    pub async fn next_page(&mut self) -> Result<Option<P>, ClientError> {
        let Some(params) = &self.params else {
            return Ok(None);
        };
        let (page, next) = self.client.page(self.call, params.clone()).await?;
        self.params = next.map(|next| params.clone().continued(next));
        Ok(Some(page))
    }

    /// Returns the next item, fetching pages as needed, or `None` after the last.
    pub async fn next(&mut self) -> Result<Option<P::Item>, ClientError> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(Some(item));
            }
            match self.next_page().await? {
                Some(page) => self.items.extend(page.into_items()),
                None => return Ok(None),
            }
        }
    }
}
