//! A server with its own database, on either engine, and a client that sends exact bytes.
#![allow(dead_code, unused_imports, unused_macros, reason = "each test binary uses a part")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

pub mod database;

use std::sync::{Arc, Once};
use std::time::Duration;

use opencomputer_usage_core::usage::accounting::Rule;
use opencomputer_usage_server::http::{self, App};
use opencomputer_usage_server::import::{ImportError, Imported, import};
use opencomputer_usage_server::store::{self, Store};
use opencomputer_usage_server::{demo, keys};
use proptest::test_runner::Config;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

pub const ORG: Uuid = Uuid::from_u128(1);
pub const OTHER: Uuid = Uuid::from_u128(2);

pub use database::{Database, Engine};

/// Defines a test of each function for each of these engines.
macro_rules! on_engines {
    ($($module:ident = $engine:expr),*; $tests:tt) => {
        $(mod $module { $crate::common::on_engines!(@each $engine, $tests); })*
    };
    (@each $engine:expr, [$($test:ident),* $(,)?]) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($engine).await;
            }
        )*
    };
}
pub(crate) use on_engines;

/// Defines a test of each function for both engines.
macro_rules! on_both_engines {
    ($($test:ident),* $(,)?) => {
        $crate::common::on_engines!(
            sqlite = $crate::common::Engine::Sqlite, postgres = $crate::common::Engine::Postgres; [$($test),*]
        );
    };
}
pub(crate) use on_both_engines;

/// Returns the settings of a property of random fleets. It is checked on `few` fleets, or as many as `FLEETS` says.
pub fn fleets(few: u32) -> Config {
    let count = std::env::var("FLEETS").map_or(few, |count| count.parse().expect("FLEETS is a number"));
    Config { failure_persistence: None, ..Config::with_cases(count) }
}

pub struct Server {
    pub store: Arc<dyn Store>,
    pub database: Database,
    pub key: String,
    pub other_key: String,
    address: String,
}

impl Server {
    pub async fn start(engine: Engine) -> Self {
        Self::with_rule(engine, Rule::default()).await
    }

    pub async fn with_rule(engine: Engine, rule: Rule) -> Self {
        let database = Database::create(engine).await;
        for org in [ORG, OTHER, demo::ORG, demo::OTHER_ORG] {
            database.add_org(org).await;
        }
        Self::on(database, rule).await
    }

    /// Starts another server on a database.
    pub async fn on(database: Database, rule: Rule) -> Self {
        let mut server = Self::without_keys(database, rule).await;
        server.key = server.create_key(ORG).await;
        server.other_key = server.create_key(OTHER).await;
        server
    }

    /// Starts a server on a database that has one org.
    pub async fn on_platform(database: Database, org: Uuid) -> Self {
        let mut server = Self::without_keys(database, Rule::default()).await;
        server.key = server.create_key(org).await;
        server
    }

    /// Starts a server on a database that has a key.
    pub async fn with_key(database: Database, rule: Rule, key: String) -> Self {
        let mut server = Self::without_keys(database, rule).await;
        server.key = key;
        server
    }

    async fn without_keys(database: Database, rule: Rule) -> Self {
        show_causes();
        let store = store::open(database.url()).await.unwrap();
        database.partition().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let app = http::router(App { store: store.clone(), rule });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { store, database, key: String::new(), other_key: String::new(), address }
    }

    pub async fn create_key(&self, org: Uuid) -> String {
        let (stored, key) = keys::generate("test").unwrap();
        self.store.create_key(org, &stored).await.unwrap();
        key
    }

    pub async fn import(&self, org: Uuid, lines: &str) -> Result<Imported, ImportError> {
        import(&*self.store, org, lines.as_bytes(), |_, _| {}).await
    }

    pub async fn get(&self, target: &str) -> Answer {
        Request::new("GET", target).key(&self.key).send(self).await
    }

    pub async fn put(&self, target: &str, body: impl Into<Vec<u8>>) -> Answer {
        Request::new("PUT", target).key(&self.key).json(body).send(self).await
    }
}

/// Shows the causes of server errors with the output of a test that fails.
fn show_causes() {
    static SHOW: Once = Once::new();
    SHOW.call_once(|| {
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR).with_test_writer();
        // A test may have a subscriber of its own.
        let _ = log.try_init();
    });
}

/// A request whose target and headers are sent byte for byte.
pub struct Request {
    head: Vec<u8>,
    body: Vec<u8>,
    pause: Duration,
}

impl Request {
    pub fn new(method: &str, target: &str) -> Self {
        let head = format!("{method} {target} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n").into_bytes();
        Self { head, body: Vec::new(), pause: Duration::ZERO }
    }

    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.head.extend([name.as_bytes(), b": ", value.as_ref(), b"\r\n"].concat());
        self
    }

    pub fn key(self, key: &str) -> Self {
        self.header("x-api-key", key)
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.header("content-length", length)
    }

    pub fn json(self, body: impl Into<Vec<u8>>) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    /// Sends the body this long after the head.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Sends the request and does not read the response.
    pub async fn start(self, server: &Server) -> TcpStream {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        stream.write_all(&[&self.head, b"\r\n".as_slice()].concat()).await.unwrap();
        tokio::time::sleep(self.pause).await;
        stream.write_all(&self.body).await.unwrap();
        stream
    }

    pub async fn send(self, server: &Server) -> Answer {
        let mut stream = self.start(server).await;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        Answer::read(&answer)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub text: String,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_owned(), text: body.to_owned() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// Returns the response without its date.
    pub fn without_date(&self) -> String {
        let head = self.head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("date:"));
        head.collect::<Vec<_>>().join("\n") + "\n\n" + &self.text
    }

    /// Returns the body as JSON, or null if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Returns the error code, or an empty text if the response is not an error.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Percent-encodes everything but letters and digits.
pub fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Percent-encodes only characters that a request line cannot contain.
pub fn encode_target(text: &str) -> String {
    const FORBIDDEN: &percent_encoding::AsciiSet =
        &percent_encoding::CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'#').add(b'`').add(b'{').add(b'}');
    percent_encoding::utf8_percent_encode(text, FORBIDDEN).to_string()
}
