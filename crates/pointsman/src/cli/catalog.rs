//! `pointsman catalog`: what is known of models without asking them.

use super::{Outcome, Stuck, out};
use clap::Subcommand;
use model::{Capability, CatalogModel};
use serde_json::json;
use std::fmt::Write;

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
    #[command(after_help = EXAMPLES)]
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
    let shown: Vec<(String, &CatalogModel)> = models
        .iter()
        .map(|m| (format!("{}/{}", m.provider, m.model), m))
        .filter(|(target, _)| filter.as_deref().is_none_or(|f| target.contains(f)))
        .collect();
    let outcome = if shown.is_empty() { Outcome::Fails } else { Outcome::Good };
    if json {
        let listed: Vec<&CatalogModel> = shown.iter().map(|(_, m)| *m).collect();
        let report = json!({"sources": wire::catalog::sources(), "models": listed});
        out::line(serde_json::to_string_pretty(&report)?)?;
    } else if let (Outcome::Fails, Some(filter)) = (outcome, filter) {
        out::line(format!(
            "None of the {} known models has `{filter}` in its name. A model that is not listed can be described \
             under `models:` of the policy file.",
            models.len()
        ))?;
    } else {
        out::text(table(&shown, models.len())?)?;
    }
    Ok(outcome)
}

/// The sources, then a line a target.
fn table(shown: &[(String, &CatalogModel)], known: usize) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for source in wire::catalog::sources() {
        let (name, version, licence) = (source.name, source.version, source.licence);
        writeln!(text, "{name} {version} ({licence}), {}: {}", source.retrieved, source.gives)?;
    }
    let width = shown.iter().map(|(target, _)| target.chars().count()).max().unwrap_or(0).max(6);
    writeln!(text)?;
    writeln!(
        text,
        "{:width$} {:>9} {:>9} {:>9} {:>9}  can",
        "target", "context", "input", "output", "cached"
    )?;
    for (target, m) in shown {
        let rates = m.facts.rates.as_ref();
        let price = |p: Option<model::Price>| p.map_or("-".to_owned(), |p| p.to_string());
        let can: Vec<&str> = m.facts.can.iter().map(Capability::name).collect();
        writeln!(
            text,
            "{target:width$} {:>9} {:>9} {:>9} {:>9}  {}",
            m.facts.context.map_or("-".to_owned(), |n| n.to_string()),
            price(rates.map(|r| r.input)),
            price(rates.map(|r| r.output)),
            price(rates.and_then(|r| r.cache_read)),
            can.join(" "),
        )?;
    }
    writeln!(text, "\n{} of {known} models", shown.len())?;
    Ok(text)
}
