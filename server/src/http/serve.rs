//! Connections: accepted until the server stops, then closed after their pending requests.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Sleep;

use super::brake::Peer;
use super::connections::{Crowded, Doing, Seat, Seats};
use super::handler::App;
use super::head;
use super::metrics::Metrics;
use super::router::{self, Options};
use crate::key_usage::{self, KeyUses};

/// The time for pending requests to finish when the server stops.
const FAREWELL: Duration = Duration::from_secs(15);

/// The interval between checks of a connection then. Without a pending request it is closed, even if a part of a head
/// has arrived.
const LOOK: Duration = Duration::from_millis(200);

/// How long the head of a request may take to arrive, and how long a connection may be idle. Load balancers keep idle
/// connections for 60 s and must not send into one that is being closed.
const PATIENCE: Duration = Duration::from_secs(75);

/// The same for a connection above the limits, which is for health checks.
const SHORT_PATIENCE: Duration = Duration::from_secs(5);

/// The time for which a client may read nothing of a response.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// The bytes of a response that the operating system buffers. They allow 2 MB/s at 100 ms, and are few enough to notice
/// a slow reader.
const SEND_BUFFER_BYTES: usize = 256 * 1024;

/// The bytes that a connection buffers: the longest head, or the part of a response that waits to be sent.
const BUFFER_BYTES: usize = 64 * 1024;

/// Serves until `stop` completes, then finishes pending requests and stores the last uses of keys.
pub async fn serve(listener: TcpListener, app: App, options: &Options, stop: impl Future<Output = ()>) {
    let (store, uses) = (app.store.clone(), Arc::<KeyUses>::default());
    let metrics = Arc::new(Metrics::new(store.clone()));
    let seats = Seats::new(options.connections, metrics.http_connections.clone());
    let router = router::with_options(app, options, uses.clone(), metrics);
    let serving = connections(listener, router, seats, (PATIENCE, WRITE_PATIENCE), stop);
    tokio::select! {
        () = serving => (),
        () = uses.keep_storing(&*store, key_usage::INTERVAL) => (),
    }
    if let Err(error) = uses.store(&*store).await {
        tracing::warn!(%error, "last uses of keys could not be stored");
    }
}

/// Accepts connections. `patience` limits the head of a request and each write of a response.
async fn connections(
    mut listener: TcpListener,
    router: Router,
    seats: Arc<Seats>,
    patience: (Duration, Duration),
    stop: impl Future<Output = ()>,
) {
    let (stopping, mut stop) = (watch::Sender::new(()), pin!(stop));
    loop {
        let (stream, address) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            () = &mut stop => break,
        };
        let Some(seat) = seats.take(Peer::from(address.ip())) else { continue };
        // Responses are written whole, so waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES);
        tokio::spawn(connection(stream, router.clone(), seat, patience, stopping.subscribe()));
    }
    drop(listener);
    tracing::info!("stopping after pending requests are finished");
    stopping.send_replace(());
    if tokio::time::timeout(FAREWELL, stopping.closed()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

/// Serves one connection. A broken connection is not reported, because its requests were logged.
async fn connection(
    stream: TcpStream,
    router: Router,
    seat: Seat,
    (patience, write_patience): (Duration, Duration),
    mut stopping: watch::Receiver<()>,
) {
    let (doing, crowded) = (seat.doing.clone(), seat.crowded);
    let stream = TokioIo::new(Watched { stream, doing: doing.clone(), patience: write_patience, deadline: None });
    let service = TowerToHyperService::new(router);
    let service = service_fn(|mut request| {
        let under_way = doing.request();
        let refusal = head::refusal(&request);
        request.extensions_mut().insert(seat.peer);
        if crowded {
            request.extensions_mut().insert(Crowded);
        }
        let response = refusal.is_none().then(|| service.call(request));
        async move {
            let _under_way = under_way;
            let mut response = match (refusal, response) {
                (None, Some(response)) => response.await?,
                (refusal, _) => refusal.unwrap_or_default(),
            };
            if crowded {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut server = http1::Builder::new();
    let patience = if crowded { patience.min(SHORT_PATIENCE) } else { patience };
    server.timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(BUFFER_BYTES);
    let mut connection = pin!(server.serve_connection(stream, service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = seat.leave.notified() => {
            if doing.nothing() {
                return;
            }
            seat.stay();
        }
        _ = stopping.changed() => (),
    }
    connection.as_mut().graceful_shutdown();
    while tokio::time::timeout(LOOK, connection.as_mut()).await.is_err() {
        if doing.nothing() {
            return;
        }
    }
}

/// A stream that notes whether a write waits, and fails if one waits for too long.
struct Watched {
    stream: TcpStream,
    doing: Arc<Doing>,
    patience: Duration,
    /// The deadline of the waiting write.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Watched {
    fn noted(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.doing.writing(written.is_pending());
        if written.is_ready() {
            self.deadline = None;
            return written;
        }
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.patience)));
        deadline.as_mut().poll(cx).map(|()| {
            tracing::warn!("a client stopped reading its response: the connection is closed");
            Err(io::ErrorKind::TimedOut.into())
        })
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, to)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, from);
        self.noted(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, from);
        self.noted(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::http::connections::{ConnectionMetrics, Limits};

    fn seats() -> Arc<Seats> {
        Seats::new(Limits::default(), ConnectionMetrics::default())
    }

    /// Starts a server and returns its address.
    async fn start(router: Router, seats: Arc<Seats>, patience: (Duration, Duration)) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(connections(listener, router, seats, patience, std::future::pending()));
        address
    }

    #[tokio::test]
    async fn a_client_that_stops_reading_is_cut_and_a_slow_one_is_not() {
        let size = 16 << 20;
        let router = Router::new().route("/", get(async move || "x".repeat(size)));
        let metrics = ConnectionMetrics::default();
        let seats = Seats::new(Limits::default(), metrics.clone());
        let address = start(router, seats, (PATIENCE, Duration::from_millis(500))).await;
        let ask = async || {
            // A small buffer on this side, so that the server notices at once how slowly it is read.
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(64 * 1024).unwrap();
            let mut stream = socket.connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
            stream
        };
        let (mut slow, mut stalled) = (ask().await, ask().await);
        let (mut read, mut buffer) = (0, vec![0; 64 * 1024]);
        loop {
            match slow.read(&mut buffer).await.unwrap() {
                0 => break,
                bytes => read += bytes,
            }
            if read < 8 << 20 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        assert!(read > size, "{read}");
        let gone = async {
            while metrics.open.get() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
        let mut rest = Vec::new();
        let ended = stalled.read_to_end(&mut rest).await;
        assert!(ended.is_err() || rest.len() < size);
    }

    #[tokio::test]
    async fn idle_connections_make_room_for_new_ones() {
        let router = Router::new().route("/", get(async || "hello"));
        let seats = Seats::new(Limits { total: 4, per_address: 4 }, ConnectionMetrics::default());
        let address = start(router, seats, (PATIENCE, WRITE_PATIENCE)).await;
        let mut idle = Vec::new();
        for _ in 0..20 {
            idle.push(TcpStream::connect(address).await.unwrap());
        }
        for _ in 0..10 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
        }
        let mut rest = Vec::new();
        assert_eq!(idle[0].read_to_end(&mut rest).await.unwrap(), 0, "the oldest was closed");
    }

    #[tokio::test]
    async fn an_incomplete_head_times_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "hello"));
        let patience = (Duration::from_millis(200), WRITE_PATIENCE);
        tokio::spawn(connections(listener, router, seats(), patience, std::future::pending()));
        for (sent, wanted) in [("GET / HT", ""), ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", "hello")] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            let mut answer = String::new();
            let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut answer)).await;
            assert!(ended.is_ok_and(|read| read.is_ok()) && answer.ends_with(wanted), "{sent}: {answer}");
        }
    }
    #[tokio::test]
    async fn shutdown_waits_for_responses_but_not_for_half_a_head() {
        let size = 64 << 20;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async move || "x".repeat(size)));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let patience = (PATIENCE, WRITE_PATIENCE);
        let serving = connections(listener, router, seats(), patience, async { stopped.await.unwrap() });
        let serving = tokio::spawn(serving);
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET / HT").await.unwrap();
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        tokio::time::sleep(LOOK).await;
        stop.send(()).unwrap();
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(10 * LOOK, half.read_to_end(&mut rest)).await;
        assert!(closed.is_ok() && rest.is_empty() && !serving.is_finished());
        let mut answer = Vec::new();
        slow.read_to_end(&mut answer).await.unwrap();
        assert!(answer.len() > size);
        tokio::time::timeout(10 * LOOK, serving).await.unwrap().unwrap();
    }
}
