//! Simulated LLM providers: OpenAI Chat Completions and Anthropic Messages on one port, told apart by path, with
//! answers that follow from the request and faults that follow a script.
//!
//! The demo, the drills and the tests use the same ones. Nothing here knows the gateway; nothing of the gateway's
//! production path enters here. The script's interface is in this crate's README.
//!
//! The way of a request: `server` accepts it, `serve` reads it and asks the `script` for a fault, `reply` has a
//! dialect check it into an `ask`, `answer` compose, the dialect word that, and `play` turn it into acts; `body`
//! performs them and the `log` keeps what happened.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let sim = sim::Sim::start(sim::SimConfig::instant("openai")).await?;
//! sim.script(sim::Script::always(sim::Fault::parse("cut:after_tokens=3").unwrap_or(sim::Fault::Reset {})));
//! println!("{}/v1/chat/completions now cuts every stream", sim.url());
//! # Ok(())
//! # }
//! ```

mod answer;
mod ask;
mod body;
mod clock;
mod config;
mod control;
mod dialect;
mod fault;
mod hangup;
mod json;
mod log;
mod play;
mod prose;
mod reply;
mod schema;
mod script;
mod seed;
mod serve;
mod server;

pub use answer::Usage;
pub use ask::tokens;
pub use config::{Keys, SimConfig, Vendor};
pub use fault::{Fault, KINDS};
pub use log::{Credential, Ended, Entry};
pub use script::{Line, LineCall, Match, Rule, Script};
pub use seed::credential_hash;
pub use server::{Sim, SimHandle};
