//! Targets for the headers that the core reads.

use opencomputer_usage_core::client::{Answer, Event, JsonValue, Kind, NextPage, Operation, Outcome, Step};
use opencomputer_usage_core::etag::{etag, matches};
use opencomputer_usage_core::host::value::Raw;
use opencomputer_usage_core::query::position::{ListCursor, SandboxPosition};
use opencomputer_usage_core::query::{Parameters, SandboxesQuery};
use opencomputer_usage_core::tags::TagSet;

use crate::check::{BASE_URL, KEY, NOW_MS, answered, begin, client, is_header_value, with_header};

/// The header `Retry-After`.
pub fn retry_after(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let answer = with_header(429, "Retry-After", &text);
    let Step::Failed { error } = answered::<Outcome>(Operation::ListTagKeys, answer.clone()) else {
        panic!("the client does not retry");
    };
    let seconds = error.retry_after;
    assert!(seconds.is_none_or(|seconds| seconds >= 0.0 && seconds.is_finite()), "{seconds:?}");
    if let Ok(whole) = text.parse::<u32>()
        && text.bytes().all(|byte| byte.is_ascii_digit())
    {
        assert_eq!(seconds, Some(f64::from(whole)));
    }
    // A client that retries waits that long, unless the call ends before.
    let config = [("apiKey", KEY.into()), ("baseUrl", BASE_URL.into()), ("timeoutMs", Raw::Number(60_000.0))];
    let mut exchange = client(config.into()).call(Operation::ListTagKeys, NOW_MS);
    match (exchange.advance::<Outcome>(Event::Answer(answer), NOW_MS, 0.5), seconds) {
        (Step::Wait { ms }, Some(seconds)) => assert!((ms / 1_000.0 - seconds).abs() < 1e-6 && ms < 60_000.0),
        (Step::Wait { ms }, None) => assert!((0.0..60_000.0).contains(&ms)),
        (Step::Failed { .. }, Some(seconds)) => assert!(seconds >= 60.0),
        (step, seconds) => panic!("{step:?} after {seconds:?}"),
    }
}

/// The header `Link`.
pub fn link(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let list = || Operation::parse("sandboxes.list", Raw::Null).expect("it is a call");
    let next = |header: &str| match answered::<Outcome>(list(), with_header(200, "Link", header)) {
        Step::Done { value: Outcome::Sandboxes(page), next } => {
            assert_eq!(page.next_cursor.as_deref(), next.as_ref().map(NextPage::cursor));
            Ok(page.next_cursor)
        }
        Step::Failed { error } => Err(error),
        step => panic!("{step:?}"),
    };
    let typed = next(&text);
    match (&typed, answered::<JsonValue>(list(), with_header(200, "Link", &text))) {
        (Ok(cursor), Step::Done { next, .. }) => assert_eq!(cursor.as_deref(), next.as_ref().map(NextPage::cursor)),
        (Err(error), Step::Failed { error: other }) => assert_eq!(*error, other),
        (typed, step) => panic!("{typed:?}, but {step:?}"),
    }
    match &typed {
        Ok(Some(cursor)) => {
            assert!(text.contains(&format!("cursor={cursor}")));
            assert!(ListCursor::<SandboxPosition>::decode(cursor).is_ok());
        }
        Ok(None) => {}
        Err(error) => assert_eq!(error.kind, Kind::Decode),
    }
    // The server's own link is found before any other.
    let own = own_link();
    let cursor = own.cursor.as_ref().map(|cursor| cursor.as_str().to_owned());
    assert_eq!(next(&format!("{}, {text}", own.link())), Ok(cursor));
}

/// Returns the query of a second page.
fn own_link() -> SandboxesQuery {
    let query = SandboxesQuery::parse(&Parameters::decode("limit=1")).expect("it is a query");
    let positions = [2, 1].map(|started_at| (SandboxPosition { started_at, sandbox_id: "sb-1".to_owned() }, ()));
    let page = query.slice().expect("it has no cursor").page(positions);
    SandboxesQuery { cursor: page.next, ..query }
}

/// The header `If-Match`.
pub fn if_match(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let current = etag(&TagSet::default());
    let other = "\"00000000000000000000000000000000\"";
    let allowed = matches(&text, &current);
    let is_any = text.trim_matches([' ', '\t']) == "*";
    // A tag may have the suffix of a compressed response before its closing quote.
    let names = |tag: &str| text.contains(tag.trim_end_matches('"'));
    if allowed {
        assert!(is_any || names(&current), "only a list that has the tag allows a write");
    }
    assert_eq!(matches(&format!(" {text}\t"), &current), allowed, "{text}");
    // A tag at either end of a list counts if the list is well-formed, and no list turns a malformed one into another.
    let (first, last) = (format!("{current}, {text}"), format!("{text},\tW/{current}"));
    assert_eq!(matches(&first, &current), matches(&last, &current), "{text}");
    let (none, own) = (format!("{text}, {other}"), format!("{text}, {current}"));
    assert_eq!(matches(&none, other), matches(&own, &current), "{text}");
    let both = matches(&own, other);
    assert!(!allowed || is_any || if both { names(other) } else { !text.contains(other) });
}

/// The header `ETag`, from a read of tags to the condition of the write.
pub fn entity_tags(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if !is_header_value(&text) {
        return;
    }
    let sandbox = Raw::Map(vec![("sandboxId".into(), "sb-1".into())]);
    let update = Operation::parse("tags.update", sandbox).expect("it is a call");
    let answer = Answer { body: b"{\"tags\":{}}".to_vec(), ..with_header(200, "ETag", &text) };
    let etag = answer.etag().map(str::to_owned);
    assert!(etag.as_deref().is_none_or(|etag| !etag.is_empty() && text.contains(etag)));
    let mut exchange = begin(update);
    match (exchange.advance::<Outcome>(Event::Answer(answer), NOW_MS, 0.0), etag) {
        (Step::Change { .. }, Some(etag)) => {
            let Step::Send { request, .. } =
                exchange.advance::<Outcome>(Event::Changed(Raw::Map(Vec::new())), NOW_MS, 0.0)
            else {
                panic!("the tags are valid");
            };
            let condition = request.headers.iter().find(|(name, _)| name == "if-match");
            assert_eq!(condition.map(|(_, value)| value), Some(&etag));
        }
        (Step::Failed { error }, None) => assert_eq!(error.kind, Kind::UnsupportedByServer),
        (step, etag) => panic!("{step:?} for {etag:?}"),
    }
}
