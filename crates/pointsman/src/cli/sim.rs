//! `pointsman sim`: the simulated providers alone.

use super::{Outcome, Stuck, out, runtime};
use sim::{Sim, SimConfig};
use std::net::SocketAddr;
use std::path::PathBuf;

pub const EXAMPLES: &str = "Examples:
  pointsman sim              # OpenAI under /v1, Anthropic under /, scripts under /_sim
  pointsman sim --listen 127.0.0.1:9100 --first-token-ms 300
  curl 127.0.0.1:9100/_sim/script -d '{\"rules\":[{\"percent\":50,\"fault\":{\"kind\":\"overloaded\"}}]}'";

#[derive(clap::Args)]
pub struct Args {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:9100")]
    listen: SocketAddr,
    /// Milliseconds to the first token
    #[arg(long)]
    first_token_ms: Option<u64>,
    /// Milliseconds between tokens
    #[arg(long)]
    chunk_ms: Option<u64>,
    /// A JSON file with the whole configuration; flags win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> Result<Outcome, Stuck> {
    let mut config = match &args.config {
        Some(path) => serde_json::from_str(&std::fs::read_to_string(path)?)
            .map_err(|e| Stuck(format!("{}: {e}", path.display())))?,
        None => SimConfig::default(),
    };
    config.listen = args.listen;
    config.first_token_ms = args.first_token_ms.unwrap_or(config.first_token_ms);
    config.chunk_ms = args.chunk_ms.unwrap_or(config.chunk_ms);
    runtime()?.block_on(async {
        let sim =
            Sim::start(config).await.map_err(|e| Stuck(format!("cannot listen on {}: {e}", args.listen)))?;
        out::line(format_args!(
            "simulated providers on http://{}  (OpenAI under /v1, Anthropic under /)",
            sim.addr()
        ))?;
        super::serve::stop_signal().await;
        sim.shutdown().await;
        Ok(Outcome::Good)
    })
}
