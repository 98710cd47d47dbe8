//! What the tests need on a machine that has only a Rust toolchain on Debian.
//!
//! Installs only what is missing, and only through the machine's own ordinary clients: apt-get for Debian's
//! packages, cargo for tools written in Rust. Where it may not install, it says what to install.

use crate::Outcome;
use crate::command::{cargo, run, run_in, works};

/// A need, how to see that it is met, and the Debian packages that meet it.
const NEEDS: [(&str, &str, &[&str], &str); 5] = [
    (
        "Python 3.10 or newer",
        "python3",
        &["-c", "import sys; sys.exit(sys.version_info < (3, 10))"],
        "python3",
    ),
    // `venv` imports without it, but cannot make an environment with pip in it.
    ("Python's venv", "python3", &["-c", "import venv, ensurepip"], "python3-venv python3-pip"),
    (
        "Node 20 or newer",
        "node",
        &["-e", "process.exit(Number(process.versions.node.split('.')[0]) < 20 ? 1 : 0)"],
        "nodejs",
    ),
    ("npm", "npm", &["--version"], "npm"),
    ("git", "git", &["--version"], "git"),
];

/// Node's place in [`NEEDS`], and the package that has it where Debian's is too old.
const NODE: usize = 2;
const NODE_PACKAGE: &str = "node@22.23.3";

/// The version of cargo-deny that the checks were written for. It compiles for about three minutes on two cores.
const CARGO_DENY: &str = "0.20.2";

/// The version of cargo-fuzz that [`crate::fuzz`] was written for.
const CARGO_FUZZ: &str = "0.13.2";

/// Debian's packages for everything that is missing.
pub fn packages() -> Outcome {
    let missing: Vec<_> = NEEDS.iter().filter(|(_, program, check, _)| !works(program, check)).collect();
    if missing.is_empty() {
        println!("Python, Node, npm and git are there");
        return Ok(());
    }
    let wanted: Vec<&str> = missing.iter().flat_map(|(.., packages)| packages.split(' ')).collect();
    let names: Vec<&str> = missing.iter().map(|(name, ..)| *name).collect();
    println!("missing: {}", names.join(", "));
    let root = crate::command::output("id", &["-u"]).is_ok_and(|id| id.trim() == "0");
    if !root || !works("apt-get", &["--version"]) {
        return Err(format!(
            "{} missing and cannot be installed from here; install the packages: {}",
            names.join(", "),
            wanted.join(" ")
        ));
    }
    let quiet = [("DEBIAN_FRONTEND", "noninteractive")];
    run("apt-get", &["update", "-qq"])?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(&wanted);
    run_in(&crate::root(), "apt-get", &arguments, &quiet)?;
    // Debian 12 has Node 18. Node's own builds are an npm package too, which goes before Debian's in the path.
    if !works(NEEDS[NODE].1, NEEDS[NODE].2) {
        run("npm", &["install", "--global", "--no-audit", "--no-fund", "--loglevel=error", NODE_PACKAGE])?;
    }
    match missing.iter().find(|(_, program, check, _)| !works(program, check)) {
        None => Ok(()),
        Some((name, _, _, packages)) => Err(format!("{name} is still missing after installing {packages}")),
    }
}

/// cargo-deny, at least once compiled.
pub fn cargo_deny() -> Outcome {
    cargo_tool("deny", CARGO_DENY)
}

/// cargo-fuzz, at least once compiled.
pub fn cargo_fuzz() -> Outcome {
    cargo_tool("fuzz", CARGO_FUZZ)
}

fn cargo_tool(name: &str, version: &str) -> Outcome {
    if works(&cargo(), &[name, "--version"]) {
        return Ok(());
    }
    let package = format!("cargo-{name}");
    println!("{package} is missing; compiling {version}, which takes minutes the first time");
    run(&cargo(), &["install", "--quiet", "--locked", "--version", version, &package])
}
