//! Providers behind TLS: HTTP/2 where it is offered, and a wrong certificate as a failure of its own.

mod gateway;

use gateway::{Gateway, sims};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const ANSWER: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#;

/// A provider behind TLS that notes the HTTP version it was spoken to in.
struct Secure {
    port: u16,
    certificate: String,
    versions: Arc<Mutex<Vec<http::Version>>>,
}

async fn secure(name: &str, alpn: &[&[u8]]) -> Secure {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a configuration");
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let versions = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&versions);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    seen.lock().expect("the list").push(request.version());
                    async { Ok::<_, Infallible>(http::Response::new(Full::<bytes::Bytes>::from(ANSWER))) }
                });
                drop(
                    auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await,
                );
            });
        }
    });
    Secure { port, certificate: made.cert.pem(), versions }
}

fn policy(secure: &Secure, steady: &sim::SimHandle) -> String {
    format!(
        "providers:\n  tls: {{dialect: openai, base_url: 'https://localhost:{}/v1'}}\n{}\
         workflows:\n  w: {{route: [tls/m, steady/gpt-4.1]}}\n",
        secure.port,
        sims::row("steady", "openai", steady)
    )
}

async fn ask(gateway: &Gateway) -> gateway::Answer {
    let body: Value = json!({"model": "w", "messages": [{"role": "user", "content": "hello"}]});
    gateway.post("/v1/chat/completions", &[], &body).await
}

#[tokio::test]
async fn a_provider_behind_tls_is_spoken_to_in_http_2_where_it_offers_that() {
    for (alpn, version) in
        [(&[b"h2".as_slice(), b"http/1.1"][..], http::Version::HTTP_2), (&[][..], http::Version::HTTP_11)]
    {
        let secure = secure("localhost", alpn).await;
        let steady = sims::instant("steady").await;
        let gateway = Gateway::start_trusting(&policy(&secure, &steady), &secure.certificate).await;
        let answer = ask(&gateway).await;
        assert_eq!((answer.status, answer.served_by()), (200, "tls/m"), "{}\n{}", answer.body, gateway.log());
        assert_eq!(*secure.versions.lock().expect("the list"), [version]);
    }
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_fails_as_tls_and_is_not_tried_again() {
    let secure = secure("localhost", &[]).await;
    let other = rcgen::generate_simple_self_signed(vec!["elsewhere".to_owned()]).expect("a certificate");
    let steady = sims::instant("steady").await;
    let gateway = Gateway::start_trusting(&policy(&secure, &steady), &other.cert.pem()).await;
    let answer = ask(&gateway).await;
    assert_eq!((answer.status, answer.served_by()), (200, "steady/gpt-4.1"));
    let row = gateway.row(answer.id());
    let failures: Vec<&Value> =
        row["attempts"].as_array().expect("attempts").iter().map(|a| &a["failure"]).collect();
    assert_eq!(failures, [&json!("tls"), &Value::Null]);
    assert!(secure.versions.lock().expect("the list").is_empty(), "no request was sent to it");
}
