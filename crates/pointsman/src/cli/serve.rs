//! `pointsman serve`: the gateway, until it is told to stop.

use super::{Outcome, Stuck, load, runtime};
use crate::edge::{self, admin, application};
use crate::gateway::Gateway;
use crate::telemetry::start_log;
use policy::Policy;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub const EXAMPLES: &str = "Examples:
  OPENAI_API_KEY=... pointsman serve               # no file: the providers whose keys are there
  pointsman serve -c pointsman.yaml
  kill -HUP $(pidof pointsman)                     # reload; a change of the file does the same";

/// How often the file and the keys are looked at for changes.
const WATCH: Duration = Duration::from_millis(250);

#[derive(clap::Args)]
pub struct Args {
    /// The policy file; without one, pointsman.yaml here, else the provider keys in the environment
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> Result<Outcome, Stuck> {
    start_log("info");
    // Before it is read, so that a change right after that is noticed.
    let seen = stamp(args.config.as_deref().unwrap_or(Path::new(load::DEFAULT)));
    let (policy, path) = load::policy(args.config.as_deref())?;
    if policy.providers.is_empty() {
        let names: Vec<&str> = load::presets().iter().flat_map(|p| p.key_env).copied().collect();
        let what = match &path {
            Some(path) => format!("{} has no provider: add one under providers:", path.display()),
            None => "no policy file and no provider key: name a file with -c, make one with `pointsman init`"
                .to_owned(),
        };
        return Err(Stuck(format!("{what}, or set one of {}", names.join(", "))));
    }
    runtime()?.block_on(async {
        let served = Served::start(policy).await?;
        served.announce();
        let watcher = path.map(|path| tokio::spawn(watch_file(Arc::clone(&served.gateway), path, seen)));
        stop_signal().await;
        tracing::info!("stopping: requests under way may finish");
        if let Some(watcher) = watcher {
            watcher.abort();
            // It holds the gateway until it has ended.
            drop(watcher.await);
        }
        served.stop().await;
        Ok(Outcome::Good)
    })
}

/// A gateway with its two ports open.
pub struct Served {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// The application port.
    pub listen: SocketAddr,
    /// The admin port.
    pub admin: SocketAddr,
    /// The admin token.
    pub token: Arc<str>,
    /// Where the token is kept, unless the environment gave it.
    pub token_file: Option<PathBuf>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Served {
    /// Opens the store and both ports. Refuses to serve strangers while no key exists.
    pub async fn start(policy: Policy) -> Result<Served, Stuck> {
        let (listen, admin_at) = (policy.server.listen, policy.server.admin);
        let data_dir = policy.store.data_dir.clone();
        let drain = policy.server.drain;
        let store = Store::open(&data_dir, &store::Options::default())?;
        let recovered = store.recovered();
        if recovered.unknown > 0 || !recovered.damage.is_empty() {
            tracing::warn!(
                unknown = recovered.unknown,
                damage = recovered.damage.len(),
                "the last run ended abruptly; its requests in flight are in the ledger as unknown"
            );
        }
        if store.keys().is_empty() && !listen.ip().is_loopback() {
            return Err(Stuck(format!(
                "server.listen is {listen}, which others can reach, and no application key exists: make one with \
                 `pointsman keys create --team TEAM`, or listen on 127.0.0.1"
            )));
        }
        let (token, token_file) = match std::env::var("POINTSMAN_ADMIN_TOKEN") {
            Ok(token) if !token.is_empty() => (token, None),
            _ => (store::admin_token(&data_dir)?, Some(store::admin_token_path(&data_dir))),
        };
        let token: Arc<str> = token.into();
        let gateway = Arc::new(Gateway::new(policy, store)?);
        let bind = async |what, at: SocketAddr| {
            TcpListener::bind(at).await.map_err(|e| {
                Stuck(format!("{what} {at} cannot be opened: {e}; choose another in the policy file"))
            })
        };
        let applications = bind("server.listen", listen).await?;
        let operators = bind("server.admin", admin_at).await?;
        let (listen, admin_at) = (applications.local_addr()?, operators.local_addr()?);
        let (stop, stopped) = watch::channel(false);
        let mut tasks = Vec::new();
        let for_applications = Arc::clone(&gateway);
        tasks.push(tokio::spawn(edge::serve(
            applications,
            move |request| application(Arc::clone(&for_applications), request),
            stopped.clone(),
            drain,
        )));
        let (for_operators, with_token) = (Arc::clone(&gateway), Arc::clone(&token));
        tasks.push(tokio::spawn(edge::serve(
            operators,
            move |request| admin(Arc::clone(&for_operators), Arc::clone(&with_token), request),
            stopped.clone(),
            drain,
        )));
        tasks.push(tokio::spawn(watch_keys(Arc::clone(&gateway), stopped)));
        Ok(Served { gateway, listen, admin: admin_at, token, token_file, stop, tasks })
    }

    /// Says where everything is.
    pub fn announce(&self) {
        let running = self.gateway.running();
        for why in running.broken_providers() {
            tracing::warn!("{why}; its targets fail until that is mended");
        }
        if self.gateway.store.keys().is_empty() {
            tracing::warn!(
                "no application key exists: everybody on this machine may call; `pointsman keys create` ends that"
            );
        }
        match &self.token_file {
            Some(file) => tracing::info!("the admin token is in {}", file.display()),
            None => tracing::info!("the admin token is the one in POINTSMAN_ADMIN_TOKEN"),
        }
        tracing::info!(
            workflows = running.policy.workflows.len(),
            providers = running.policy.providers.len(),
            policy = %running.policy.digest,
            "applications: http://{}  console, admin API and metrics: http://{}",
            self.listen,
            self.admin
        );
    }

    /// Lets requests under way finish, then closes the ledger.
    pub async fn stop(self) {
        // An error means that every task is gone already.
        let _ = self.stop.send(true);
        for task in self.tasks {
            if let Err(e) = task.await {
                tracing::error!(error = %e, "a part of the gateway ended badly");
            }
        }
        let Ok(gateway) = Arc::try_unwrap(self.gateway) else {
            tracing::warn!("requests are still under way; the next start settles them as unknown");
            return;
        };
        let closed = tokio::task::spawn_blocking(move || gateway.close()).await;
        match closed {
            Ok(Ok(())) => {}
            Ok(Err(why)) => {
                tracing::error!(%why, "the ledger could not be closed cleanly; the next start recovers it")
            }
            Err(e) => tracing::error!(error = %e, "closing the ledger failed"),
        }
    }
}

/// Notices keys that another process made or revoked.
async fn watch_keys(gateway: Arc<Gateway>, mut stop: edge::Stop) {
    let mut broken = false;
    loop {
        tokio::select! {
            _ = tokio::time::sleep(WATCH) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let look = Arc::clone(&gateway);
        // A database read: off the threads that serve.
        let looked = tokio::task::spawn_blocking(move || look.store.keys().refresh()).await;
        match looked {
            Ok(Ok(_)) => broken = false,
            Ok(Err(why)) if !broken => {
                broken = true;
                tracing::error!(%why, "keys cannot be read: those known so far stay in force");
            }
            Ok(Err(_)) => {}
            Err(e) => tracing::error!(error = %e, "watching the keys failed"),
        }
    }
}

/// Reloads the policy when the file changes or on SIGHUP. A bad file keeps the running policy and says so.
async fn watch_file(gateway: Arc<Gateway>, path: PathBuf, mut seen: Option<Stamp>) {
    let hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
    let Ok(mut hangup) = hangup else {
        tracing::error!("SIGHUP cannot be watched; only a change of the file reloads it");
        return;
    };
    loop {
        let asked = tokio::select! {
            _ = hangup.recv() => true,
            _ = tokio::time::sleep(WATCH) => false,
        };
        let found = stamp(&path);
        if asked || found != seen {
            seen = found;
            let (gateway, path) = (Arc::clone(&gateway), path.clone());
            // Reads files: off the threads that serve.
            if let Err(e) = tokio::task::spawn_blocking(move || reload(&gateway, &path, asked)).await {
                tracing::error!(error = %e, "reloading failed; the running policy stays in force");
            }
        }
    }
}

/// Time of the last change, and length.
type Stamp = (SystemTime, u64);

/// Time and length: an editor that writes in place changes one of them.
fn stamp(path: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

fn reload(gateway: &Gateway, path: &Path, asked: bool) {
    let former = gateway.running().policy.digest.clone();
    match load::checked(Some(path)).and_then(load::Checked::usable) {
        // On a signal everything is resolved anew, key files too, even where the policy says the same.
        Ok(policy) if policy.digest == former && !asked => {
            tracing::info!("{} says the same as before", path.display());
        }
        Ok(policy) => {
            let moved = policy.server != gateway.running().policy.server
                || policy.store != gateway.running().policy.store;
            gateway.replace(policy);
            tracing::info!(policy = %gateway.running().policy.digest, former = %former, "{} is in force", path.display());
            if moved {
                tracing::warn!("changes under server: and store: take effect at the next start");
            }
        }
        Err(Stuck(why)) => tracing::error!("the running policy stays in force: {why}"),
    }
}

/// Waits for SIGTERM or SIGINT.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}
