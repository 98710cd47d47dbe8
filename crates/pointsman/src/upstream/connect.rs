//! Opens connections to providers: name, TCP, TLS, each bounded in time and each failing under its own name.
//!
//! Addresses come from the configuration alone. Which failure leads where is decided in `policy`; here it is only named.

use hyper::Uri;
use hyper::rt::ReadBufCursor;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use model::FailureKind;
use rustls::pki_types::ServerName;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(2);
/// How long the TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// Why no connection could be opened. Nothing was sent, so another target may be tried at once.
#[derive(Debug)]
pub struct ConnectFailure {
    /// `dns`, `connect`, `connect_timeout` or `tls`.
    pub kind: FailureKind,
    /// What the operating system or the TLS library said.
    pub detail: String,
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)
    }
}

impl std::error::Error for ConnectFailure {}

fn failure(kind: FailureKind, detail: impl fmt::Display) -> ConnectFailure {
    ConnectFailure { kind, detail: detail.to_string() }
}

/// Opens plain and TLS connections.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
}

impl Connector {
    /// Trusts the system's roots where there are any, else Mozilla's list; offers HTTP/2 and HTTP/1.1.
    pub fn new() -> Result<Connector, rustls::Error> {
        let mut roots = rustls::RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(native.certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Connector { tls: TlsConnector::from(Arc::new(config)) })
    }

    async fn open(self, uri: Uri) -> Result<Stream, ConnectFailure> {
        let secure = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let tcp = match tokio::time::timeout(CONNECT, tcp(&host, port)).await {
            Ok(opened) => opened?,
            Err(_) => {
                let why = format!("no connection to {host}:{port} within {CONNECT:?}");
                return Err(failure(FailureKind::ConnectTimeout, why));
            }
        };
        // Nagle's algorithm and delayed acknowledgements together hold small frames for 40 ms.
        tcp.set_nodelay(true).map_err(|e| failure(FailureKind::Connect, e))?;
        if !secure {
            return Ok(Stream::Plain(TokioIo::new(tcp)));
        }
        let name = ServerName::try_from(host.clone())
            .map_err(|e| failure(FailureKind::Tls, format!("{host} is no server name: {e}")))?;
        match tokio::time::timeout(HANDSHAKE, self.tls.connect(name, tcp)).await {
            Ok(Ok(stream)) => Ok(Stream::Secure(Box::new(TokioIo::new(stream)))),
            Ok(Err(e)) => Err(failure(FailureKind::Tls, format!("TLS with {host}:{port}: {e}"))),
            Err(_) => {
                let why = format!("TLS with {host}:{port} took longer than {HANDSHAKE:?}");
                Err(failure(FailureKind::ConnectTimeout, why))
            }
        }
    }
}

/// Tries the name's addresses in turn.
async fn tcp(host: &str, port: u16) -> Result<TcpStream, ConnectFailure> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port))
        .await
        .map_err(|e| failure(FailureKind::Dns, format!("{host}: {e}")))?
        .collect();
    let mut last = failure(FailureKind::Dns, format!("{host} has no address"));
    // Each gets its share of the time, so that one that swallows packets does not use up what the next one needs.
    let share = CONNECT / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    for address in addresses {
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(e)) => last = failure(FailureKind::Connect, format!("{address}: {e}")),
            Err(_) => {
                last = failure(
                    FailureKind::ConnectTimeout,
                    format!("no connection to {address} within {share:?}"),
                );
            }
        }
    }
    Err(last)
}

impl tower_service::Service<Uri> for Connector {
    type Response = Stream;
    type Error = ConnectFailure;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, ConnectFailure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().open(uri))
    }
}

/// An open connection.
pub enum Stream {
    /// Without TLS: a server of one's own, or a test.
    Plain(TokioIo<TcpStream>),
    /// With TLS.
    Secure(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        match self {
            Stream::Plain(_) => Connected::new(),
            Stream::Secure(s) => {
                let h2 = s.inner().get_ref().1.alpn_protocol() == Some(b"h2");
                if h2 { Connected::new().negotiated_h2() } else { Connected::new() }
            }
        }
    }
}

impl hyper::rt::Read for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Stream::Secure(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl hyper::rt::Write for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Stream::Secure(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(s) => Pin::new(s).poll_flush(cx),
            Stream::Secure(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Stream::Secure(s) => Pin::new(s).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(s) => s.is_write_vectored(),
            Stream::Secure(s) => s.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(s) => Pin::new(s).poll_write_vectored(cx, bufs),
            Stream::Secure(s) => Pin::new(s).poll_write_vectored(cx, bufs),
        }
    }
}
