//! Where the gateway listens, what it remembers in, and where it reports: sections that decide nothing about a request.

use serde::Serialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// `server:`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Server {
    /// The application port.
    pub listen: SocketAddr,
    /// The admin port.
    pub admin: SocketAddr,
    /// The largest body a client may send, in bytes.
    pub max_body: u64,
    /// How long requests in flight may finish after a stop signal.
    pub drain: Duration,
}

impl Default for Server {
    fn default() -> Server {
        Server {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            admin: SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)),
            max_body: 32 << 20,
            drain: Duration::from_secs(30),
        }
    }
}

/// `store:`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Store {
    /// Journal, embedded database, certificates; relative to the working directory.
    pub data_dir: PathBuf,
    /// Where the ledger is kept.
    pub database: Database,
    /// Where many nodes share limits, budgets and breakers.
    pub shared: Shared,
}

impl Default for Store {
    fn default() -> Store {
        Store {
            data_dir: PathBuf::from("./pointsman-data"),
            database: Database::Sqlite,
            shared: Shared::Memory,
        }
    }
}

/// The ledger's database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Database {
    /// Embedded, in the data directory.
    Sqlite,
    /// A PostgreSQL URL.
    Postgres(String),
}

/// The store that nodes share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shared {
    /// This process alone.
    Memory,
    /// A Redis URL.
    Redis(String),
}

/// `telemetry:`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Telemetry {
    /// The collector's base URL.
    pub otlp: Option<String>,
    /// Whether prompts and answers may leave with spans.
    pub content: Content,
}

/// `telemetry.content`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Never.
    #[default]
    Off,
    /// Prompts and answers are attached to spans.
    On,
}
