//! `pointsman demo`: simulated providers, the gateway and the console in one process, with no key and no file.

use super::serve::Served;
use super::{Outcome, Stuck, load, runtime, tour};
use crate::telemetry::start_log;
use sim::{Sim, SimConfig, SimHandle};
use std::net::SocketAddr;
use std::path::PathBuf;

pub const EXAMPLES: &str = "Examples:
  pointsman demo             # serves until Ctrl-C and prints what to try
  pointsman demo --tour      # plays a story in under a minute; exit code 0 only if every step of it held";

/// The demo's policy; the addresses of the simulated providers are filled in.
const POLICY: &str = include_str!("demo.yaml");

#[derive(clap::Args)]
pub struct Args {
    /// Play the scripted story and exit
    #[arg(long)]
    tour: bool,
    /// The application port
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The admin port
    #[arg(long, default_value = "127.0.0.1:8081")]
    admin: SocketAddr,
    /// Where the ledger goes; a temporary directory unless named
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

pub fn run(args: Args) -> Result<Outcome, Stuck> {
    start_log(if args.tour { "error" } else { "warn" });
    runtime()?.block_on(async {
        let demo = Demo::start(&args).await?;
        let outcome = if args.tour {
            tour::play(&demo).await?
        } else {
            demo.announce();
            super::serve::stop_signal().await;
            Outcome::Good
        };
        demo.stop().await;
        Ok(outcome)
    })
}

/// Everything the demo runs.
pub struct Demo {
    /// The gateway.
    pub served: Served,
    /// Simulated Anthropic.
    pub anthropic: SimHandle,
    /// Simulated OpenAI.
    pub openai: SimHandle,
    /// A simulated server of one's own.
    pub onprem: SimHandle,
    temporary: Option<PathBuf>,
}

impl Demo {
    async fn start(args: &Args) -> Result<Demo, Stuck> {
        let sim = async |name: &str, voice, vendor| {
            let config = SimConfig {
                name: name.to_owned(),
                voice,
                vendor,
                keys: sim::Keys::Open,
                ..SimConfig::default()
            };
            Sim::start(config).await.map_err(|e| Stuck(format!("the simulated {name} cannot start: {e}")))
        };
        let anthropic = sim("anthropic", 1, sim::Vendor::Openai).await?;
        let openai = sim("openai", 2, sim::Vendor::Openai).await?;
        let onprem = sim("onprem", 3, sim::Vendor::Compatible).await?;
        let (data_dir, temporary) = match &args.data_dir {
            Some(dir) => (dir.clone(), None),
            None => {
                let dir = std::env::temp_dir().join(format!("pointsman-demo-{}", std::process::id()));
                (dir.clone(), Some(dir))
            }
        };
        let (listen, admin) = if args.tour { (any_port(), any_port()) } else { (args.listen, args.admin) };
        let text = POLICY
            .replace("{listen}", &listen.to_string())
            .replace("{admin}", &admin.to_string())
            .replace("{data_dir}", &serde_json::to_string(&data_dir)?)
            .replace("{anthropic}", &anthropic.addr().to_string())
            .replace("{openai}", &openai.addr().to_string())
            .replace("{onprem}", &onprem.addr().to_string());
        let models = wire::catalog::models_of(&|provider| text.contains(provider));
        let nothing = |name: &str| Err(format!("the demo reads no file, not even {name}"));
        let loaded = policy::file::load(&text, &load::known(&models, &nothing));
        let policy = loaded.policy.ok_or_else(|| {
            let shown: Vec<String> =
                loaded.findings.iter().map(|f| f.in_file("demo.yaml").to_string()).collect();
            Stuck(format!("the demo's own policy is wrong:\n{}", shown.join("\n")))
        })?;
        let served = Served::start(policy).await?;
        Ok(Demo { served, anthropic, openai, onprem, temporary })
    }

    fn announce(&self) {
        let (listen, admin, token) = (self.served.listen, self.served.admin, &self.served.token);
        let anthropic = self.anthropic.addr();
        println!(
            "Pointsman is serving http://{listen} with three simulated providers.

Ask it something (Chat Completions; any OpenAI or Anthropic SDK works with this base URL):

  curl -i http://{listen}/v1/chat/completions -H 'content-type: application/json' \\
    -d '{{\"model\":\"support-reply\",\"messages\":[{{\"role\":\"user\",\"content\":\"Where is my order?\"}}]}}'

Pull the plug of the first provider for a minute, ask again, and watch x-pointsman-served-by change:

  curl -X POST http://{anthropic}/_sim/unplug -d '{{\"seconds\":60}}'

Console: http://admin:{token}@{admin}/
Metrics: curl -H 'Authorization: Bearer {token}' http://{admin}/metrics

Ctrl-C ends it."
        );
    }

    async fn stop(self) {
        self.served.stop().await;
        for sim in [self.anthropic, self.openai, self.onprem] {
            sim.shutdown().await;
        }
        if let Some(dir) = self.temporary
            && let Err(e) = std::fs::remove_dir_all(&dir)
        {
            tracing::warn!("{} could not be removed: {e}", dir.display());
        }
    }
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
