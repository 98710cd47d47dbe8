//! `server:`, `store:` and `telemetry:`.

use super::keys::{Key, Shape, key};
use super::load::Cx;
use super::scalar;
use super::tree::Node;
use crate::{Content, Database, Server, Shared, Store, Telemetry};
use std::net::SocketAddr;
use std::path::PathBuf;

pub(crate) const SERVER: &[Key<Server>] = &[
    key("listen", "Where applications connect.", Shape::Address, |s: &mut Server, n, cx| {
        s.listen = address(n, cx).unwrap_or(s.listen);
    }),
    key("admin", "Console, admin API and /metrics; needs the admin token.", Shape::Address, |s, n, cx| {
        s.admin = address(n, cx).unwrap_or(s.admin);
    }),
    key("max_body", "The largest request body; 32MiB unless set.", Shape::Size, |s, n, cx| {
        s.max_body = cx.parse(n, scalar::size).unwrap_or(s.max_body);
    }),
    key(
        "drain",
        "How long requests in flight may finish after a stop signal; 30s unless set.",
        Shape::Duration,
        |s, n, cx| s.drain = cx.parse(n, scalar::duration).unwrap_or(s.drain),
    ),
];

pub(crate) const STORE: &[Key<Store>] = &[
    key("data_dir", "Journal, embedded database, certificates.", Shape::Path, |s: &mut Store, n, cx| {
        if let Some(path) = cx.text(n) {
            s.data_dir = PathBuf::from(path);
        }
    }),
    key("database", "sqlite, or a postgres:// URL.", Shape::Text, |s, n, cx| {
        let read = |text: &str| match text {
            "sqlite" => Ok(Database::Sqlite),
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Ok(Database::Postgres(url.to_owned()))
            }
            _ => Err("a database is `sqlite` or a postgres:// URL".to_owned()),
        };
        s.database = cx.parse(n, read).unwrap_or(Database::Sqlite);
        if s.database != Database::Sqlite {
            cx.note_not_enforced(n.at, "database: postgres", "many nodes; the embedded database is used");
        }
    }),
    key(
        "shared",
        "memory, or a redis:// URL for the limits, budgets and breakers of many nodes.",
        Shape::Text,
        |s, n, cx| {
            let read = |text: &str| match text {
                "memory" => Ok(Shared::Memory),
                url if url.starts_with("redis://") || url.starts_with("rediss://") => {
                    Ok(Shared::Redis(url.to_owned()))
                }
                _ => Err("a shared store is `memory` or a redis:// URL".to_owned()),
            };
            s.shared = cx.parse(n, read).unwrap_or(Shared::Memory);
            if s.shared != Shared::Memory {
                cx.note_not_enforced(n.at, "shared: redis", "many nodes; this process's memory is used");
            }
        },
    ),
];

pub(crate) const TELEMETRY: &[Key<Telemetry>] = &[
    key("otlp", "The OpenTelemetry collector's base URL.", Shape::Url, |t: &mut Telemetry, n, cx| {
        t.otlp = cx.parse(n, scalar::base_url);
    })
    .later("OpenTelemetry export"),
    key(
        "content",
        "Whether prompts and answers may leave with spans.",
        Shape::Words(&["off", "on"]),
        |t, n, cx| {
            let read = |text: &str| match text {
                "off" => Some(Content::Off),
                "on" => Some(Content::On),
                _ => None,
            };
            t.content = cx.word(n, &["off", "on"], read).unwrap_or_default();
        },
    ),
];

fn address(node: &Node, cx: &mut Cx<'_>) -> Option<SocketAddr> {
    cx.parse(node, |text| {
        let local = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        let address = local.as_deref().unwrap_or(text);
        address.parse().map_err(|_| "write an IP address and a port, such as 127.0.0.1:8080".to_owned())
    })
}
