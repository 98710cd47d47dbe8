//! The speed bench: how much a request through the gateway costs, beside the least that any proxy costs.
//!
//! One program, four parts, each its own process so that the kernel accounts for them apart:
//! [`upstream`] answers as fast as it can, [`floor`] is a bare pass-through proxy, [`load`] asks, and [`run`]
//! starts them, pins them to cores and compares. Start with [`run`]. What is measured and what must be reached
//! is the table in [`report`].
//!
//! Nothing here knows the gateway's code: it is a program with a configuration file and two ports.

mod account;
mod floor;
mod gateway;
mod load;
mod processes;
mod report;
mod request;
mod response;
mod run;
mod upstream;

use std::collections::BTreeMap;
use std::process::ExitCode;

/// The gateway's allocator, so that the floor has the same one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Everything that can stop the bench: one sentence for the person who ran it.
type Outcome<T = ()> = Result<T, String>;

const HELP: &str = "\
bench run [--floor-only] [--gateway PROGRAM] [--rounds N] [--quick] [--md] [--strict] [--out FILE]
bench upstream | floor --upstream ADDRESS | load --address ADDRESS ...    (started by `run`)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = Options::read(arguments.get(1..).unwrap_or_default());
    let outcome = match arguments.first().map(String::as_str) {
        Some("run") => run::run(&options),
        Some("upstream") => upstream::serve(),
        Some("floor") => floor::serve(&options),
        Some("load") => load::load(&options),
        _ => {
            print!("{HELP}");
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("bench: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// `--name value` and `--name` pairs of the command line.
struct Options(BTreeMap<String, String>);

impl Options {
    fn read(arguments: &[String]) -> Self {
        let mut options = BTreeMap::new();
        let mut rest = arguments.iter().peekable();
        while let Some(argument) = rest.next() {
            let name = argument.trim_start_matches("--").to_owned();
            let value = rest.next_if(|next| !next.starts_with("--")).cloned().unwrap_or_default();
            options.insert(name, value);
        }
        Self(options)
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn text(&self, name: &str) -> Outcome<&str> {
        self.0.get(name).map(String::as_str).ok_or_else(|| format!("--{name} is missing"))
    }

    fn number<T: std::str::FromStr>(&self, name: &str, otherwise: T) -> Outcome<T> {
        match self.0.get(name) {
            None => Ok(otherwise),
            Some(text) => text.parse().map_err(|_| format!("--{name} {text} is not a number")),
        }
    }
}
