//! A walk over every page of a query: one window, one `asOf`.

use std::collections::VecDeque;
use std::marker::PhantomData;

use opencomputer_usage_core::client::ClientError;
use opencomputer_usage_core::wire::{SandboxItem, SandboxUsagePage, TagItem, TagUsagePage};

use crate::client::{Reply, Usage};
use crate::options::UsageOptions;

/// A page of groups.
pub trait UsagePage: Reply {
    /// A group.
    type Item;

    /// The groups of this page.
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

page!(TagUsagePage, TagItem);
page!(SandboxUsagePage, SandboxItem);

/// A walk over pages, fetched one by one as they are asked for.
#[derive(Debug)]
pub struct Walk<'a, P: UsagePage> {
    usage: Usage<'a>,
    key: Option<String>,
    /// `None` once the last page has been read.
    options: Option<UsageOptions>,
    items: VecDeque<P::Item>,
    page: PhantomData<P>,
}

impl<'a, P: UsagePage> Walk<'a, P> {
    pub(crate) fn new(usage: Usage<'a>, key: Option<String>, options: UsageOptions) -> Self {
        Self { usage, key, options: Some(options), items: VecDeque::new(), page: PhantomData }
    }

    /// The next page, or `None` after the last.
    pub async fn next_page(&mut self) -> Result<Option<P>, ClientError> {
        let Some(options) = &self.options else {
            return Ok(None);
        };
        let (page, next) = self.usage.page(self.key.as_deref(), options).await?;
        self.options = next.map(|next| options.clone().continued(next));
        Ok(Some(page))
    }

    /// The next item, from page to page, or `None` after the last.
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
