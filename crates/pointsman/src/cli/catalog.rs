//! `pointsman catalog`: what is known of models without asking them.

use super::{Outcome, Stuck};
use clap::Subcommand;
use model::{Capability, CatalogModel};
use serde_json::json;

pub const EXAMPLES: &str = "Examples:
  pointsman catalog show
  pointsman catalog show claude --json
  pointsman catalog show openai/gpt-4.1";

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List models with window, capabilities and prices (US dollars per million tokens)
    Show {
        /// Only targets whose provider/model holds this text
        filter: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub fn run(args: Args) -> Result<Outcome, Stuck> {
    let Command::Show { filter, json } = args.command;
    let models = wire::catalog::models();
    let shown: Vec<&CatalogModel> = models
        .iter()
        .filter(|m| filter.as_deref().is_none_or(|f| format!("{}/{}", m.provider, m.model).contains(f)))
        .collect();
    if json {
        println!(
            "{}",
            serde_json::to_string_pretty(&json!({"sources": wire::catalog::sources(), "models": shown}))?
        );
        return Ok(Outcome::Good);
    }
    for source in wire::catalog::sources() {
        println!(
            "{} {} ({}), {}: {}",
            source.name, source.version, source.licence, source.retrieved, source.gives
        );
    }
    println!("\n{:52} {:>9} {:>9} {:>9} {:>9}  can", "target", "context", "input", "output", "cached");
    for m in &shown {
        let rates = m.facts.rates.as_ref();
        let price = |p: Option<model::Price>| p.map_or("-".to_owned(), |p| p.to_string());
        let can: Vec<&str> = m.facts.can.iter().map(Capability::name).collect();
        println!(
            "{:52} {:>9} {:>9} {:>9} {:>9}  {}",
            format!("{}/{}", m.provider, m.model),
            m.facts.context.map_or("-".to_owned(), |n| n.to_string()),
            price(rates.map(|r| r.input)),
            price(rates.map(|r| r.output)),
            price(rates.and_then(|r| r.cache_read)),
            can.join(" "),
        );
    }
    println!("\n{} of {} models", shown.len(), models.len());
    Ok(Outcome::Good)
}
