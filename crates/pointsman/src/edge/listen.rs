//! Accepts connections, HTTP/1.1 and HTTP/2 alike, and lets them finish when it is time to stop.

use crate::edge::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Bytes of a request's head, and of the buffer that a connection reads into.
const HEAD: usize = 64 << 10;
/// How long a client may take to send its head.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// Becomes true when it is time to stop.
pub type Stop = watch::Receiver<bool>;

/// Serves until `stop` turns true, then waits for requests under way, up to `drain`.
pub async fn serve<H, F>(listener: TcpListener, handler: H, mut stop: Stop, drain: Duration)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD as u32)
        .max_concurrent_streams(1024)
        .adaptive_window(true)
        .keep_alive_interval(Duration::from_secs(30));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let stream = match accepted.and_then(|(stream, _)| prepare(stream)) {
            Ok(stream) => stream,
            Err(e) => {
                // Out of descriptors or a connection gone before it was taken: the next one may do better.
                tracing::warn!(error = %e, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let handler = handler.clone();
        let service = service_fn(move |request| {
            let answer = handler(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(e) = connection.await {
                tracing::trace!(error = %e, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way {drain:?} after the stop; they are cut off");
    }
}

/// Nagle's algorithm and delayed acknowledgements together hold small frames for 40 ms.
fn prepare(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    Ok(stream)
}
