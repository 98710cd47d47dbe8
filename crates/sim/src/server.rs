//! The listener: starts, stops, can be unplugged and plugged in again at the same address.
//!
//! Each connection is a task of its own that ends when its client leaves, when a fault breaks it, or when the
//! provider is unplugged. What is answered is decided in `serve`.

use crate::config::SimConfig;
use crate::hangup::{Hangup, Socket};
use crate::log::{Entry, Log};
use crate::reply::Gauge;
use crate::script::{Desk, Script};
use crate::serve;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Starts simulated providers.
#[derive(Debug)]
pub struct Sim;

impl Sim {
    /// Listens and serves in the background until every handle is dropped or [`SimHandle::shutdown`] is called.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn start(config: SimConfig) -> io::Result<SimHandle> {
        let listener = TcpListener::bind(config.listen).await?;
        let addr = listener.local_addr()?;
        let (power, watched) = watch::channel(Power { on: true, stopped: false, outage: 0 });
        let shared = Arc::new(Shared {
            addr,
            log: Arc::new(Log::new(config.log_entries)),
            desk: Desk::default(),
            cached: Mutex::default(),
            gauge: Mutex::default(),
            power,
            listening: watch::Sender::new(true),
            config,
        });
        tokio::spawn(accept(Arc::clone(&shared), listener, watched));
        Ok(SimHandle { guard: Arc::new(Guard(Arc::clone(&shared))), shared })
    }
}

/// A running simulated provider. Clones are the same provider; it stops when the last one is dropped.
#[derive(Debug, Clone)]
pub struct SimHandle {
    shared: Arc<Shared>,
    // Held for its `Drop` alone.
    #[allow(dead_code)]
    guard: Arc<Guard>,
}

impl SimHandle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.shared.addr
    }

    /// `http://address:port`, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.shared.addr)
    }

    /// The configured name.
    pub fn name(&self) -> &str {
        &self.shared.config.name
    }

    /// Puts rules in force; see [`Script::append`].
    pub fn script(&self, script: Script) {
        self.shared.desk.load(script);
    }

    /// Takes every rule out of force.
    pub fn clear_script(&self) {
        self.shared.desk.clear();
    }

    /// Every request that the log still holds, oldest first.
    pub fn log(&self) -> Vec<Entry> {
        self.shared.log.since(0)
    }

    /// Empties the log and forgets what was cached; numbers go on.
    pub fn clear_log(&self) {
        self.shared.forget();
    }

    /// Drops every connection and refuses new ones. Returns when nothing listens any more.
    pub async fn unplug(&self) {
        self.shared.switch(false).await;
    }

    /// Listens again at the same address. Returns when it does.
    pub async fn plug(&self) {
        self.shared.switch(true).await;
    }

    /// Stops for good. Returns when nothing listens any more.
    pub async fn shutdown(&self) {
        self.shared.stop();
        self.shared.reached(false).await;
    }
}

#[derive(Debug)]
struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Power {
    on: bool,
    stopped: bool,
    /// Counts outages, so that a short one is not missed by a connection that looks too late.
    outage: u64,
}

/// What all connections of one provider share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) addr: SocketAddr,
    pub(crate) config: SimConfig,
    pub(crate) log: Arc<Log>,
    pub(crate) desk: Desk,
    /// Keys of the prompt prefixes that were marked for caching.
    pub(crate) cached: Mutex<HashSet<u64>>,
    pub(crate) gauge: Mutex<Gauge>,
    power: watch::Sender<Power>,
    listening: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn forget(&self) {
        self.log.clear();
        self.cached.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    }

    pub(crate) async fn switch(&self, on: bool) {
        self.power.send_modify(|power| {
            power.outage += u64::from(power.on && !on);
            power.on = on;
        });
        self.reached(on).await;
    }

    fn stop(&self) {
        self.power.send_modify(|power| {
            power.outage += 1;
            power.stopped = true;
        });
    }

    async fn reached(&self, listening: bool) {
        let stopped = self.power.borrow().stopped;
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.listening.subscribe().wait_for(|now| *now == (listening && !stopped)).await;
    }
}

async fn accept(shared: Arc<Shared>, first: TcpListener, mut power: watch::Receiver<Power>) {
    let mut listener = Some(first);
    loop {
        let now = *power.borrow_and_update();
        if now.stopped || !now.on {
            listener = None;
            shared.listening.send_replace(false);
            if now.stopped {
                return;
            }
        } else if listener.is_none() {
            match TcpListener::bind(shared.addr).await {
                Ok(bound) => {
                    listener = Some(bound);
                    shared.listening.send_replace(true);
                }
                // Someone else may hold the port for a moment; the address is a promise, so keep asking for it.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        let next = async {
            match &listener {
                Some(listener) => listener.accept().await.ok(),
                None if now.on => None,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = power.changed() => if changed.is_err() { return },
            accepted = next => if let Some((stream, _)) = accepted {
                tokio::spawn(connection(Arc::clone(&shared), stream, shared.power.subscribe(), now.outage));
            },
        }
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream, mut power: watch::Receiver<Power>, outage: u64) {
    // Words are sent one by one; Nagle's algorithm would hold them back.
    let _ = stream.set_nodelay(true);
    let hangup = Arc::new(Hangup::default());
    let service = service_fn(|request| serve::answer(Arc::clone(&shared), Arc::clone(&hangup), request));
    let socket = TokioIo::new(Socket::new(stream, Arc::clone(&hangup)));
    let builder = auto::Builder::new(TokioExecutor::new());
    // Said before the connection is dropped, so that its answers know what became of them.
    let outage = async {
        let _ = power.wait_for(|now| now.outage != outage).await;
        hangup.unplug();
    };
    tokio::select! {
        // A client that breaks off is no news here; the log has it.
        _ = builder.serve_connection(socket, service) => {}
        () = hangup.told() => {}
        () = outage => {}
    }
}
