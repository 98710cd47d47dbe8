//! What the repository asks of itself: `cargo xtask COMMAND`.
//!
//! This room holds the jobs that are run by people and by CI, not by users of the product. Nothing here is
//! linked into the binary. Each command is a module; start with the one that you want to run.

mod bench;
mod catalog;
mod command;
mod fuzz;
mod house;
mod install;
mod soak;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Everything that can stop a command: one sentence for the person who ran it.
type Outcome<T = ()> = Result<T, String>;

const HELP: &str = "\
cargo xtask COMMAND

  test      everything that CI runs, in order; stops at the first failure
              --list          the steps
              --only STEP     one step alone (may be repeated)
              --from STEP     that step and those after it
  house     the rules of the house that a program can check
  bench     speed beside a bare proxy, on this machine
              --floor-only    the proxy alone; needs no gateway
              --quick         fewer and shorter rounds
              --rounds N      instead of five
              --md            Markdown instead of a table
              --strict        fails where a bar is missed
  fuzz      every fuzz target in turn
              --seconds N     for each (default 30)
              --only TARGET   one target
  soak      what takes long: ten minutes for each fuzz target, a hundred kills, the bench
  catalog   makes crates/wire/data/catalog.json again from the two pinned public price lists
              --check         only checks the file that is there
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let outcome = match arguments.first().map(String::as_str) {
        Some("bench") => bench::run(rest),
        Some("catalog") => catalog::run(rest),
        Some("fuzz") => fuzz::run(rest),
        Some("house") => house::run(),
        Some("soak") => soak::run(),
        Some("test") => test::run_steps(rest),
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

/// The top of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Where cargo puts what it builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |path| root().join(path))
}

/// The release build of the product.
fn program() -> PathBuf {
    target().join("release/pointsman")
}
