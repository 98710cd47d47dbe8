//! The real binary, started on free ports over a temporary directory, and a plain client to talk to it.

#![allow(dead_code, reason = "every test file uses a part of this")]

pub mod sims;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_pointsman");
pub const TOKEN: &str = "token-of-the-tests";

/// A running gateway. Killed when dropped.
pub struct Gateway {
    pub dir: TempDir,
    pub listen: String,
    pub admin: String,
    child: Child,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: String,
    /// Whether the body ended as HTTP says a body ends.
    pub complete: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("not JSON ({e}): {}", self.body))
    }
    pub fn served_by(&self) -> &str {
        self.header("x-pointsman-served-by").unwrap_or("nobody")
    }
    pub fn id(&self) -> &str {
        self.header("x-pointsman-request-id").expect("every answer names its request")
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port()
}

impl Gateway {
    /// Starts with a policy; `server:` and `store:` are added to it.
    pub async fn start(policy: &str) -> Gateway {
        Gateway::start_in(tempfile::tempdir().expect("a temporary directory"), policy).await
    }

    /// Starts one that trusts this certificate and no other.
    pub async fn start_trusting(policy: &str, certificate: &str) -> Gateway {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("roots.pem"), certificate).expect("the certificate");
        Gateway::start_in(dir, policy).await
    }

    async fn start_in(dir: TempDir, policy: &str) -> Gateway {
        let (listen, admin) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
        let gateway = Gateway {
            child: spawn(&dir, &listen, &admin, policy),
            dir,
            listen,
            admin,
            client: Client::builder(TokioExecutor::new()).build_http(),
        };
        gateway.wait().await;
        gateway
    }

    async fn wait(&self) {
        for _ in 0..200 {
            if self.call(Method::GET, &self.listen, "/readyz", &[], "").await.is_some_and(|a| a.status == 200)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the gateway did not become ready: {}", self.log());
    }

    /// What the process wrote on standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The policy file.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("pointsman.yaml")
    }

    /// Replaces the policy file.
    pub fn write(&self, policy: &str) {
        std::fs::write(self.file(), whole(&self.listen, &self.admin, policy)).expect("the policy file");
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it without a word and starts it again over the same directory.
    pub async fn kill_and_restart(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
        self.child = start(&self.dir);
        self.wait().await;
    }

    /// Kills it without a word.
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Asks it to stop and waits until it has.
    pub async fn terminate(&mut self) -> std::process::ExitStatus {
        let status = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().expect("kill");
        assert!(status.success());
        for _ in 0..600 {
            if let Some(status) = self.child.try_wait().expect("its state") {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it did not stop within 30 seconds: {}", self.log());
    }

    /// One call on the application port; `None` when no answer began.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<Answer> {
        self.call(method, &self.listen, path, headers, body).await
    }

    /// A POST on the application port.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        self.send(Method::POST, path, headers, &body.to_string()).await.expect("an answer")
    }

    /// One call on the admin port, with the token.
    pub async fn operate(&self, method: Method, path: &str, body: &str) -> Answer {
        let token = format!("Bearer {TOKEN}");
        self.call(method, &self.admin, path, &[("authorization", &token)], body).await.expect("an answer")
    }

    async fn call(
        &self,
        method: Method,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<Answer> {
        let mut request = Request::builder().method(method).uri(format!("http://{host}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body.to_owned())).expect("a request");
        let (head, mut body) = self.client.request(request).await.ok()?.into_parts();
        let mut bytes = Vec::new();
        let complete = loop {
            match body.frame().await {
                None => break true,
                Some(Err(_)) => break false,
                Some(Ok(frame)) => bytes.extend(frame.into_data().unwrap_or_default()),
            }
        };
        let body = String::from_utf8(bytes).expect("UTF-8");
        Some(Answer { status: head.status.as_u16(), headers: head.headers, body, complete })
    }

    /// The ledger as `pointsman ledger export` prints it.
    pub fn ledger(&self) -> Vec<Value> {
        let out = self.run(&["ledger", "export", "--format", "jsonl", "--data-dir", &self.data_dir()]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8(out.stdout).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }

    /// One row of the ledger.
    pub fn row(&self, id: &str) -> Value {
        let rows: Vec<Value> = self.ledger().into_iter().filter(|row| row["request_id"] == id).collect();
        assert_eq!(rows.len(), 1, "the ledger holds {} rows of {id}", rows.len());
        rows.into_iter().next().unwrap_or_default()
    }

    /// Where the store is.
    pub fn data_dir(&self) -> String {
        self.dir.path().join("data").display().to_string()
    }

    /// Runs the binary beside it.
    pub fn run(&self, args: &[&str]) -> Output {
        Command::new(BINARY).args(args).current_dir(self.dir.path()).output().expect("the binary runs")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn whole(listen: &str, admin: &str, policy: &str) -> String {
    format!("server: {{listen: '{listen}', admin: '{admin}'}}\nstore: {{data_dir: data}}\n{policy}")
}

fn spawn(dir: &TempDir, listen: &str, admin: &str, policy: &str) -> Child {
    std::fs::write(dir.path().join("pointsman.yaml"), whole(listen, admin, policy)).expect("the policy file");
    start(dir)
}

fn start(dir: &TempDir) -> Child {
    let roots = dir.path().join("roots.pem");
    let log =
        std::fs::OpenOptions::new().create(true).append(true).open(dir.path().join("log")).expect("the log");
    Command::new(BINARY)
        .args(["serve", "-c", "pointsman.yaml"])
        .current_dir(dir.path())
        .env("POINTSMAN_ADMIN_TOKEN", TOKEN)
        .env("SIM_KEY", "sk-sim-0123456789abcdef")
        .env("POINTSMAN_LOG", "debug")
        .envs(roots.exists().then_some(("SSL_CERT_FILE", roots)))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the binary starts")
}
