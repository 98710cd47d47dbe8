//! What the repository asks of itself: `cargo xtask COMMAND`.
//!
//! This room holds the jobs that are run by people and by CI, not by users of the product. Nothing here is
//! linked into the binary. Each command is a module; start with the one that you want to run.

mod catalog;

use std::process::ExitCode;

/// Everything that can stop a command: one sentence for the person who ran it.
type Outcome<T = ()> = Result<T, String>;

const HELP: &str = "\
cargo xtask COMMAND

  catalog      make crates/wire/data/catalog.json again from the two pinned public price lists
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let outcome = match arguments.first().map(String::as_str) {
        Some("catalog") => catalog::run(rest),
        Some("help" | "--help" | "-h") | None => {
            print!("{HELP}");
            Ok(())
        }
        Some(other) => Err(format!("there is no command `{other}`; `cargo xtask help` lists them")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("xtask: {sentence}");
            ExitCode::FAILURE
        }
    }
}
