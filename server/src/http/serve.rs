//! Connections: taken in until the server is told to stop, then let finish what they are at.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use super::{App, Options, routes};
use crate::uses::{self, KeyUses};

/// How long running requests may take to finish once the server is told to stop.
const FAREWELL: Duration = Duration::from_secs(15);

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
    let (graceful, mut stop) = (GracefulShutdown::new(), pin!(stop));
    loop {
        let stream = tokio::select! {
            (stream, _) = Listener::accept(&mut listener) => stream,
            () = &mut stop => break,
        };
        // Answers are written whole: waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(patience);
        let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let connection = graceful.watch(connection);
        // A connection that breaks is the client's affair; its request was logged.
        tokio::spawn(async { connection.await.ok() });
    }
    drop(listener);
    tracing::info!("stopping, running requests are finished first");
    if tokio::time::timeout(FAREWELL, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
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
}
