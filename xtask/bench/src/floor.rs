//! The floor: the least that a proxy on this machine costs. A hyper server, hyper-util's pooled client, the
//! same runtime, allocator and socket options as the gateway; bodies stream through and only the authority
//! of the request changes.

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

use crate::{Options, Outcome};

/// Serves on a free port of loopback, which it prints, until it is killed.
pub fn serve(options: &Options) -> Outcome {
    let upstream: http::uri::Authority =
        options.text("upstream")?.parse().map_err(|e| format!("--upstream is no address: {e}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|e| e.to_string())?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|e| e.to_string())?;
        println!("{}", listener.local_addr().map_err(|e| e.to_string())?);
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client: Client<_, Incoming> = Client::builder(TokioExecutor::new()).build(connector);
        loop {
            let (stream, _) = listener.accept().await.map_err(|e| e.to_string())?;
            stream.set_nodelay(true).map_err(|e| e.to_string())?;
            let (client, upstream) = (client.clone(), upstream.clone());
            tokio::spawn(async move {
                let service = service_fn(move |request| pass(client.clone(), upstream.clone(), request));
                let server = auto::Builder::new(TokioExecutor::new());
                // A connection that ends badly is its caller's business.
                server.serve_connection(TokioIo::new(stream), service).await.ok();
            });
        }
    })
}

async fn pass(
    client: Client<HttpConnector, Incoming>,
    upstream: http::uri::Authority,
    mut request: Request<Incoming>,
) -> Result<hyper::Response<Incoming>, Box<dyn std::error::Error + Send + Sync>> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(http::uri::Scheme::HTTP);
    parts.authority = Some(upstream);
    *request.uri_mut() = Uri::from_parts(parts)?;
    request.headers_mut().remove(http::header::HOST);
    Ok(client.request(request).await?)
}
