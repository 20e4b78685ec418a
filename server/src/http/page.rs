//! Pages as responses. A small page is sent whole; a large page is rendered while it is sent, within a budget of bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::vec;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use futures_util::{StreamExt as _, stream};
use opencomputer_usage_core::wire::{GroupUsageItem, SandboxUsageItem, TagUsageItem, UsageSeries};
use prometheus_client::metrics::gauge::Gauge;
use serde::Serialize;
use uuid::Uuid;

use super::error::{Failure, Result};

/// Pages up to about this size are sent whole, with their length.
const WHOLE: usize = 256 * 1024;
/// The bytes of a larger page that are rendered at a time.
const CHUNK: usize = 32 * 1024;
/// The bytes of large pages that may wait for their clients, half of them of one org. The largest page has about 40 MB.
/// An org without a waiting page may have one of any size.
const IN_FLIGHT: usize = 128 << 20;
/// The `Retry-After` of an org with too many waiting bytes.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The text in the JSON of an empty page that the items replace.
const NO_ITEMS: &str = r#""items":[]"#;

/// An item of a page.
pub(super) trait Item: Serialize + Send + 'static {
    /// Estimates its bytes, in memory and on the wire.
    fn weight(&self) -> usize;
}

impl Item for TagUsageItem {
    fn weight(&self) -> usize {
        200 + self.tag_key.len() + self.tag_value.len() + weight_of(self.series.as_ref())
    }
}

impl Item for GroupUsageItem {
    fn weight(&self) -> usize {
        let group = self.group.iter().map(|(name, value)| 64 + name.len() + value.map_or(0, str::len));
        200 + group.sum::<usize>() + weight_of(self.series.as_ref())
    }
}

impl Item for SandboxUsageItem {
    fn weight(&self) -> usize {
        let tags = self.tags.iter().flat_map(|tags| tags.iter()).map(|(key, value)| 64 + key.len() + value.len());
        250 + self.sandbox_id.len() + tags.sum::<usize>() + weight_of(self.series.as_ref())
    }
}

/// Estimates the bytes of a series.
fn weight_of(series: Option<&UsageSeries>) -> usize {
    const NUMBER: usize = 20;
    series.map_or(0, |series| NUMBER * (series.memory_gb_seconds.len() + series.disk_overage_gb_seconds.len()))
}

/// Responds with a page and its items, which `page` does not contain.
pub(super) fn respond<I: Item>(flights: &Arc<Flights>, org: Uuid, page: &impl Serialize, items: Vec<I>) -> Result {
    let weight = items.iter().map(Item::weight).sum();
    let page = serde_json::to_string(page).map_err(Failure::internal)?;
    let (head, tail) = page.split_once(NO_ITEMS).ok_or_else(|| Failure::internal("a page has no items"))?;
    let flight = if weight > WHOLE { Some(flights.take_off(org, weight)?) } else { None };
    let whole = flight.is_none();
    let mut rendering = Rendering {
        ready: format!(r#"{head}"items":["#).into_bytes(),
        items: items.into_iter(),
        first: true,
        tail: Some(format!("]{tail}")),
        flight,
    };
    let body = if whole {
        Body::from(rendering.render(usize::MAX).map_err(Failure::internal)?)
    } else {
        let chunk = move |mut rendering: Rendering<I>| async move {
            rendering.tail.as_ref()?;
            Some((rendering.render(CHUNK), rendering))
        };
        // Compression polls the stream again after its end.
        Body::from_stream(stream::unfold(rendering, chunk).fuse())
    };
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// A page that is being rendered.
struct Rendering<I> {
    /// The rendered bytes that are not sent yet.
    ready: Vec<u8>,
    items: vec::IntoIter<I>,
    first: bool,
    /// The JSON after the items; `None` after it was rendered.
    tail: Option<String>,
    flight: Option<Flight>,
}

impl<I: Item> Rendering<I> {
    /// Renders at least this number of bytes, or the rest. Items are freed as they are rendered.
    fn render(&mut self, bytes: usize) -> serde_json::Result<Bytes> {
        while self.ready.len() < bytes {
            let Some(item) = self.items.next() else {
                self.ready.extend(self.tail.take().unwrap_or_default().into_bytes());
                break;
            };
            if !std::mem::take(&mut self.first) {
                self.ready.push(b',');
            }
            serde_json::to_writer(&mut self.ready, &item)?;
            if let Some(flight) = &mut self.flight {
                flight.land(item.weight());
            }
        }
        Ok(std::mem::take(&mut self.ready).into())
    }
}

/// The budget of bytes that wait for clients.
pub(super) struct Flights {
    most: usize,
    by_org: Mutex<HashMap<Uuid, usize>>,
    bytes: Gauge,
}

impl Flights {
    pub(super) fn new(bytes: Gauge) -> Self {
        Self { most: IN_FLIGHT, by_org: Mutex::default(), bytes }
    }

    fn take_off(self: &Arc<Self>, org: Uuid, bytes: usize) -> Result<Flight> {
        let mut by_org = self.by_org();
        let own = by_org.get(&org).copied().unwrap_or_default();
        if own > 0 && own + bytes > self.most / 2 {
            return Err(Failure::rate_limited(RETRY_AFTER));
        }
        let all: usize = by_org.values().sum();
        if all > 0 && all + bytes > self.most {
            return Err(Failure::busy(format!("{all} bytes of responses wait for clients that read slowly")));
        }
        by_org.insert(org, own + bytes);
        self.bytes.inc_by(i64::try_from(bytes).unwrap_or(i64::MAX));
        Ok(Flight { flights: self.clone(), org, bytes })
    }

    fn by_org(&self) -> MutexGuard<'_, HashMap<Uuid, usize>> {
        self.by_org.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that wait for a client.
struct Flight {
    flights: Arc<Flights>,
    org: Uuid,
    bytes: usize,
}

impl Flight {
    /// Returns bytes that were sent to the budget.
    fn land(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.flights.bytes.dec_by(i64::try_from(bytes).unwrap_or(i64::MAX));
        let mut by_org = self.flights.by_org();
        if let Some(own) = by_org.get_mut(&self.org) {
            *own = own.saturating_sub(bytes);
            if *own == 0 {
                by_org.remove(&self.org);
            }
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.land(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORG: Uuid = Uuid::from_u128(1);

    #[derive(Serialize)]
    struct Page {
        name: &'static str,
        items: Vec<Text>,
        next: Option<u8>,
    }

    #[derive(Clone, Serialize)]
    struct Text(String);

    impl Item for Text {
        fn weight(&self) -> usize {
            self.0.len()
        }
    }

    fn flights(most: usize) -> Arc<Flights> {
        Arc::new(Flights { most, by_org: Mutex::default(), bytes: Gauge::default() })
    }

    fn texts(count: usize, bytes: usize) -> Vec<Text> {
        vec![Text("x".repeat(bytes)); count]
    }

    /// Returns a page of these items as it should be on the wire, and as a response.
    fn page(flights: &Arc<Flights>, org: Uuid, items: Vec<Text>) -> (String, Result) {
        let mut page = Page { name: r#"a "items":[] b"#, items: Vec::new(), next: None };
        let response = respond(flights, org, &page, items.clone());
        page.items = items;
        (serde_json::to_string(&page).unwrap(), response)
    }

    #[tokio::test]
    async fn a_page_is_the_same_whole_and_in_chunks() {
        for (count, bytes, whole) in
            [(0, 0, true), (1, 10, true), (100, 1_000, true), (500, 1_000, false), (3, 1 << 20, false)]
        {
            let flights = flights(IN_FLIGHT);
            let (wanted, response) = page(&flights, ORG, texts(count, bytes));
            let body = response.unwrap().into_body();
            assert_eq!(axum::body::HttpBody::size_hint(&body).exact().is_some(), whole);
            let got = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            assert!(got == wanted.as_bytes(), "{count} items of {bytes} bytes");
            assert_eq!((flights.bytes.get(), flights.by_org().len()), (0, 0));
        }
    }

    #[tokio::test]
    async fn bytes_in_flight_are_bounded_for_each_org_and_in_all() {
        let flights = flights(4 << 20);
        let code = |response: Result| response.err().map(|failure| failure.into_response().status().as_u16());
        let large = || texts(40, 32 * 1024);
        let (_, first) = page(&flights, ORG, large());
        let mut first = first.unwrap().into_body().into_data_stream();
        assert_eq!(code(page(&flights, ORG, large()).1), Some(429));
        let others: Vec<_> = [2, 3].map(|org| page(&flights, Uuid::from_u128(org), large()).1.unwrap()).into();
        assert_eq!(code(page(&flights, Uuid::from_u128(4), large()).1), Some(503));
        assert_eq!(code(page(&flights, Uuid::from_u128(4), texts(10, 1_000)).1), None, "small pages always fit");
        // Sent bytes return to the budget.
        drop(others);
        for _ in 0..30 {
            first.next().await.unwrap().unwrap();
        }
        assert_eq!(code(page(&flights, ORG, large()).1), None);
        drop(first);
        assert_eq!((flights.bytes.get(), flights.by_org().len()), (0, 0));
    }
}
