//! Connections: taken in until the server is told to stop, then let finish what they are at.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{App, Options, routes};
use crate::uses::{self, KeyUses};

/// How long running requests may take to finish once the server is told to stop.
const FAREWELL: Duration = Duration::from_secs(15);

/// How often a connection is looked at then: one that has nothing under way, such as half a head, is not waited for.
const LOOK: Duration = Duration::from_millis(200);

/// How long the head of a request may take to arrive, and a connection be idle. Above the 60 s that load balancers keep
/// idle connections, so that they do not send into one that is being closed.
const PATIENCE: Duration = Duration::from_secs(75);

/// Serves until `stop` comes true, then finishes running requests and stores what is left to store.
pub async fn serve(listener: TcpListener, app: App, options: &Options, stop: impl Future<Output = ()>) {
    let (store, uses) = (app.store.clone(), Arc::<KeyUses>::default());
    let serving = connections(listener, routes(app, options, uses.clone()), PATIENCE, stop);
    tokio::select! {
        () = serving => (),
        () = uses.keep_storing(&*store, uses::INTERVAL) => (),
    }
    if let Err(error) = uses.store(&*store).await {
        tracing::warn!(%error, "the last use of keys could not be stored");
    }
}

async fn connections(mut listener: TcpListener, router: Router, patience: Duration, stop: impl Future<Output = ()>) {
    let (stopping, mut stop) = (watch::Sender::new(()), pin!(stop));
    loop {
        let stream = tokio::select! {
            (stream, _) = Listener::accept(&mut listener) => stream,
            () = &mut stop => break,
        };
        // Answers are written whole: waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
        tokio::spawn(connection(stream, router.clone(), patience, stopping.subscribe()));
    }
    drop(listener);
    tracing::info!("stopping, running requests are finished first");
    stopping.send_replace(());
    if tokio::time::timeout(FAREWELL, stopping.closed()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

/// Serves one connection. A connection that breaks is the client's affair; its request was logged.
async fn connection(stream: TcpStream, router: Router, patience: Duration, mut stopping: watch::Receiver<()>) {
    let doing = Arc::<Doing>::default();
    let stream = TokioIo::new(Watched { stream, doing: doing.clone() });
    let service = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        let under_way = UnderWay::new(doing.clone());
        let answer = service.call(request);
        async move {
            let _under_way = under_way;
            answer.await
        }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(patience);
    let mut connection = pin!(server.serve_connection(stream, service));
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.changed() => (),
    }
    connection.as_mut().graceful_shutdown();
    while tokio::time::timeout(LOOK, connection.as_mut()).await.is_err() {
        if doing.nothing() {
            return;
        }
    }
}

/// What a connection is at.
#[derive(Default)]
struct Doing {
    /// Requests whose answer is not made yet.
    requests: AtomicUsize,
    /// Whether the client has yet to take what is there of an answer.
    writing: AtomicBool,
}

impl Doing {
    fn nothing(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0 && !self.writing.load(Ordering::Relaxed)
    }
}

/// Counts as a request under way for as long as it lives.
struct UnderWay(Arc<Doing>);

impl UnderWay {
    fn new(doing: Arc<Doing>) -> Self {
        doing.requests.fetch_add(1, Ordering::Relaxed);
        Self(doing)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that notes whether its last write had to wait: then more is to be written.
struct Watched {
    stream: TcpStream,
    doing: Arc<Doing>,
}

impl Watched {
    fn noted<T>(&self, written: Poll<T>) -> Poll<T> {
        self.doing.writing.store(written.is_pending(), Ordering::Relaxed);
        written
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
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, from);
        self.noted(written)
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
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_head_that_never_ends_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "hello"));
        let patience = Duration::from_millis(200);
        tokio::spawn(connections(listener, router, patience, std::future::pending()));
        for (sent, wanted) in [("GET / HT", ""), ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", "hello")] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            let mut answer = String::new();
            let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut answer)).await;
            assert!(ended.is_ok_and(|read| read.is_ok()) && answer.ends_with(wanted), "{sent}: {answer}");
        }
    }
    #[tokio::test]
    async fn an_end_waits_for_answers_and_not_for_half_a_head() {
        let size = 64 << 20;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async move || "x".repeat(size)));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = connections(listener, router, PATIENCE, async { stopped.await.unwrap() });
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
