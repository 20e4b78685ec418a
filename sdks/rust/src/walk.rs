//! Walks over every page of a query, in one window and at one `asOf`.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::marker::PhantomData;

use opencomputer_usage_core::client::{ClientError, Outcome};
use opencomputer_usage_core::wire::{SandboxUsageItem, SandboxUsagePage, TagUsageItem, TagUsagePage};

use crate::client::Usage;
use crate::options::UsageOptions;

/// A page of usage.
pub trait UsagePage: TryFrom<Outcome> {
    /// An item of the page.
    type Item;

    /// Returns the items of this page.
    fn into_items(self) -> Vec<Self::Item>;
}

macro_rules! page {
    ($page:ty, $item:ty) => {
        impl UsagePage for $page {
            type Item = $item;

            fn into_items(self) -> Vec<$item> {
                self.items
            }
        }
    };
}

page!(TagUsagePage, TagUsageItem);
page!(SandboxUsagePage, SandboxUsageItem);

impl<'a> Usage<'a> {
    /// Walks over the usage by the values of a tag.
    #[must_use]
    pub fn walk_by_tag(&self, key: &str, options: impl Borrow<UsageOptions>) -> Walk<'a, TagUsagePage> {
        Walk::new(*self, Some(key.to_owned()), options.borrow().clone())
    }

    /// Walks over the usage by sandbox.
    #[must_use]
    pub fn walk_by_sandbox(&self, options: impl Borrow<UsageOptions>) -> Walk<'a, SandboxUsagePage> {
        Walk::new(*self, None, options.borrow().clone())
    }
}

/// A walk over pages. Each page is fetched when its first item is needed.
#[derive(Debug)]
pub struct Walk<'a, P: UsagePage> {
    usage: Usage<'a>,
    key: Option<String>,
    /// The options of the next page; `None` after the last.
    options: Option<UsageOptions>,
    items: VecDeque<P::Item>,
    page: PhantomData<P>,
}

impl<'a, P: UsagePage> Walk<'a, P> {
    fn new(usage: Usage<'a>, key: Option<String>, options: UsageOptions) -> Self {
        Self { usage, key, options: Some(options), items: VecDeque::new(), page: PhantomData }
    }

    /// Fetches the next page, or returns `None` after the last.
    pub async fn next_page(&mut self) -> Result<Option<P>, ClientError> {
        let Some(options) = &self.options else {
            return Ok(None);
        };
        let (page, next) = self.usage.page(self.key.as_deref(), options).await?;
        self.options = next.map(|next| options.clone().continued(next));
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
