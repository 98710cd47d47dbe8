//! Simulated providers beside the gateway of a test, and the policy lines that name them.

use sim::{Sim, SimConfig, SimHandle};

/// A simulator without delays.
pub async fn instant(name: &str) -> SimHandle {
    Sim::start(SimConfig::instant(name)).await.expect("a simulator")
}

/// A simulator that takes its time over every token.
pub async fn slow(name: &str, chunk_ms: u64) -> SimHandle {
    let config = SimConfig { chunk_ms, tokens_per_answer: 200, ..SimConfig::instant(name) };
    Sim::start(config).await.expect("a simulator")
}

/// A provider row of this simulator.
pub fn row(name: &str, dialect: &str, sim: &SimHandle) -> String {
    let version = if dialect == "openai" { "/v1" } else { "" };
    format!(
        "  {name}: {{dialect: {dialect}, base_url: '{}{version}', api_key: {{env: SIM_KEY}}}}\n",
        sim.url()
    )
}
