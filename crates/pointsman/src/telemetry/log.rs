//! Logs: one line an event on standard error. `POINTSMAN_LOG` sets the level, `POINTSMAN_LOG_FORMAT=json` the form.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging; a second call changes nothing.
pub fn start(default_level: &str) {
    let filter = EnvFilter::try_from_env("POINTSMAN_LOG").unwrap_or_else(|_| EnvFilter::new(default_level));
    let json = std::env::var("POINTSMAN_LOG_FORMAT").is_ok_and(|f| f == "json");
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(false)
        .with_writer(std::io::stderr);
    let started = if json {
        lines.json().try_init()
    } else if std::io::stderr().is_terminal() {
        lines.without_time().try_init()
    } else {
        lines.try_init()
    };
    // Another part of the process may have started it; its lines are as good.
    drop(started);
}
