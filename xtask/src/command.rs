//! Other programs, run from the top of the repository.
//!
//! Decides how a program is shown, run and judged; which program is for the callers to say.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Outcome, root};

/// Runs a program with its output on the terminal; an error if it cannot be started or fails.
pub fn run(program: &str, arguments: &[&str]) -> Outcome {
    run_in(&root(), program, arguments, &[])
}

/// The same in a folder and with variables in its environment.
pub fn run_in(folder: &Path, program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let variables: String = environment.iter().map(|(name, value)| format!("{name}='{value}' ")).collect();
    let name = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or(program);
    println!("$ {variables}{name} {}", arguments.join(" "));
    let status = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .status()
        .map_err(|e| format!("{program} could not be started: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{name} {}` failed: {status}", arguments.join(" "))) }
}

/// What a program prints, if it succeeds; its error output, if it does not.
pub fn output(program: &str, arguments: &[&str]) -> Outcome<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{program} could not be started: {e}"))?;
    if output.status.success() {
        String::from_utf8(output.stdout).map_err(|e| format!("{program}: {e}"))
    } else {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(format!("`{program} {}` failed: {said}", arguments.join(" ")))
    }
}

/// The same cargo that runs this.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".into())
}

/// Whether a program can be run and says that all is well.
pub fn works(program: &str, arguments: &[&str]) -> bool {
    output(program, arguments).is_ok()
}
