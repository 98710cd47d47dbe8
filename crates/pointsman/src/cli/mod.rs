//! What people type. Exit codes: 0 good, 1 the checked thing fails, 2 inconclusive, 3 the command could not run.

mod catalog;
mod check;
mod demo;
mod explain;
mod init;
mod keys;
mod ledger;
mod load;
mod out;
mod rehearse;
mod serve;
mod sim;
mod tour;
mod why_not;

use clap::{Parser, Subcommand};
use std::fmt;
use std::process::ExitCode;

/// A policy-driven model gateway: sends each request to the provider that fits its task, and proves its fallbacks.
#[derive(Parser)]
#[command(name = "pointsman", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start simulated providers, the gateway and the console, with no key and no file
    #[command(after_help = demo::EXAMPLES)]
    Demo(demo::Args),
    /// Serve applications and operators until told to stop
    #[command(after_help = serve::EXAMPLES)]
    Serve(serve::Args),
    /// Write a commented pointsman.yaml from the provider keys in the environment
    #[command(after_help = init::EXAMPLES)]
    Init(init::Args),
    /// Report every problem of a policy file at once
    #[command(after_help = check::EXAMPLES)]
    Check(check::Args),
    /// Show a decision: the rule, every candidate, the plan, what each failure would lead to. Sends nothing
    #[command(after_help = explain::EXAMPLES)]
    Explain(explain::Args),
    /// Find the smallest change that would admit a target to a workflow
    #[command(after_help = why_not::EXAMPLES)]
    WhyNot(why_not::Args),
    /// Make, list and revoke application keys
    #[command(after_help = keys::EXAMPLES)]
    Keys(keys::Args),
    /// Read the ledger
    #[command(after_help = ledger::EXAMPLES)]
    Ledger(ledger::Args),
    /// Show known models with their capabilities and prices
    #[command(after_help = catalog::EXAMPLES)]
    Catalog(catalog::Args),
    /// Run the simulated providers alone
    #[command(after_help = sim::EXAMPLES)]
    Sim(sim::Args),
}

/// How a command ended, when it could run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// 0.
    Good,
    /// 1: the checked thing fails.
    Fails,
}

/// The command could not run: exit code 3, and this on standard error.
#[derive(Debug)]
struct Stuck(String);

impl<E: fmt::Display> From<E> for Stuck {
    fn from(error: E) -> Stuck {
        Stuck(error.to_string())
    }
}

/// Runs what the arguments say.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let asked = !e.use_stderr();
            // A closed pipe leaves nobody to tell.
            drop(e.print());
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(3) };
        }
    };
    let outcome = match cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Init(args) => init::run(args),
        Command::Check(args) => check::run(args),
        Command::Explain(args) => explain::run(args),
        Command::WhyNot(args) => why_not::run(args),
        Command::Keys(args) => keys::run(args),
        Command::Ledger(args) => ledger::run(args),
        Command::Catalog(args) => catalog::run(args),
        Command::Sim(args) => sim::run(args),
    };
    match outcome {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Fails) => ExitCode::FAILURE,
        Err(Stuck(why)) => {
            out::complaint(&why);
            ExitCode::from(3)
        }
    }
}

/// The runtime of commands that serve.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}
