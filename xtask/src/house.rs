//! `cargo xtask house`: the rules of the house that a program can check.
//!
//! The rules are a table of functions over the tracked files and cargo's own account of the workspace; each
//! returns what breaks it. What the rules are for is in `ARCHITECTURE.md`; what only a reader can judge is not
//! here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::command::{cargo, output};
use crate::{Outcome, root};

/// Which of our crates each may name. The binary assembles the world; the siblings see only `model`.
const MAY_SEE: [(&str, &[&str]); 9] = [
    ("model", &[]),
    ("wire", &["model"]),
    ("policy", &["model"]),
    ("store", &["model"]),
    ("sim", &["model"]),
    ("console", &["model"]),
    ("pointsman", &["model", "wire", "policy", "store", "sim", "console"]),
    ("xtask", &[]),
    ("bench", &[]),
];

/// The longest that a file of Rust may be, in lines, unless it is listed in [`MAY_BE_LONG`].
const LONGEST: usize = 600;

/// Files that may be longer, each with its reason. Tables may be long; control flow may not.
const MAY_BE_LONG: [(&str, &str); 1] =
    [("crates/wire/tests/traps.rs", "a list: one test for every trap of translation, under its name")];

/// The most packages that the binary may be made of.
const MOST_PACKAGES: usize = 250;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 7] = ["utils", "util", "common", "helpers", "helper", "manager", "misc"];

/// What is made by a program and so is not tracked.
const GENERATED: [&str; 10] = [
    "target/",
    "node_modules/",
    ".venv/",
    "__pycache__/",
    ".pyc",
    "pointsman-data/",
    ".profraw",
    ".snap.new",
    "fuzz/corpus/",
    "fuzz/artifacts/",
];

/// A tracked file.
struct File {
    path: String,
    /// Empty for files that are not Rust.
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// Holds the repository to the rules and prints what breaks them.
pub fn run() -> Outcome {
    let files = tracked()?;
    let metadata = output(&cargo(), &["metadata", "--format-version", "1", "--no-deps"])?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|e| format!("cargo metadata: {e}"))?;
    let packages = packages()?;
    println!("{} tracked files, {packages} packages in the binary (at most {MOST_PACKAGES})", files.len());
    let mut broken = direction(&metadata);
    broken.extend(files.iter().filter(|file| file.is_rust()).flat_map(one_file));
    broken.extend(files.iter().filter_map(|file| generated(&file.path)));
    if packages > MOST_PACKAGES {
        broken
            .push(format!("the binary is made of {packages} packages; at most {MOST_PACKAGES} are allowed"));
    }
    for line in &broken {
        println!("  {line}");
    }
    if broken.is_empty() { Ok(()) } else { Err(format!("{} rules of the house are broken", broken.len())) }
}

fn tracked() -> Outcome<Vec<File>> {
    let list = output("git", &["ls-files", "-z"])?;
    let paths = list.split('\0').filter(|path| !path.is_empty());
    // A file that is tracked but was just deleted has nothing to check.
    let there = paths.filter(|path| root().join(path).is_file());
    there
        .map(|path| {
            let rust = path.ends_with(".rs");
            let text = if rust { std::fs::read_to_string(root().join(path)) } else { Ok(String::new()) };
            Ok(File { path: path.to_owned(), text: text.map_err(|e| format!("{path}: {e}"))? })
        })
        .collect()
}

/// The binary's dependencies, itself and every crate of ours included.
fn packages() -> Outcome<usize> {
    let tree =
        output(&cargo(), &["tree", "--edges", "normal", "--package", "pointsman", "--prefix", "none"])?;
    let lines: BTreeSet<&str> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    Ok(lines.len())
}

/// Who depends on whom, in any way, against [`MAY_SEE`].
fn direction(metadata: &Value) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = MAY_SEE.into_iter().collect();
    let mut broken = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(may_see) = allowed.get(name) else {
            broken.push(format!("the crate `{name}` has no place in the table of who may see whom"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let seen = dependency["name"].as_str().unwrap_or_default();
            if allowed.contains_key(seen) && dependency["path"].is_string() && !may_see.contains(&seen) {
                broken.push(format!("`{name}` depends on `{seen}`, which it may not see"));
            }
        }
    }
    broken
}

fn one_file(file: &File) -> Vec<String> {
    let path = &file.path;
    let mut broken = Vec::new();
    if !file.text.starts_with("//!") {
        broken.push(format!(
            "{path} does not begin with `//!`: what is decided here, and where the reader goes next"
        ));
    }
    let lines = file.text.lines().count();
    if lines > LONGEST && !MAY_BE_LONG.iter().any(|(long, _)| long == path) {
        broken.push(format!("{path} has {lines} lines; {LONGEST} are allowed unless the reason is listed"));
    }
    // Written apart, so that this file does not break its own rule.
    for word in [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("FIX", "ME")] {
        if let Some(line) = file.text.lines().position(|line| line.contains(word)) {
            broken.push(format!("{path}:{} has `{word}`: something is not done", line + 1));
        }
    }
    let mut names = path.trim_end_matches(".rs").split('/');
    if let Some(name) = names.find(|name| EMPTY_NAMES.contains(name)) {
        broken.push(format!("{path}: `{name}` does not say what is inside"));
    }
    broken
}

fn generated(path: &str) -> Option<String> {
    let kind = GENERATED.iter().find(|kind| {
        let folder = kind.ends_with('/') && (path.starts_with(*kind) || path.contains(&format!("/{kind}")));
        folder || path.ends_with(*kind)
    })?;
    Some(format!("{path} is tracked, but `{kind}` is made by a program"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn broken(path: &str, text: &str) -> Vec<String> {
        one_file(&File { path: path.into(), text: text.into() })
    }

    #[test]
    fn a_good_file_breaks_nothing() {
        assert!(broken("crates/wire/src/sse.rs", "//! Frames.\nfn f() {}\n").is_empty());
    }

    #[test]
    fn each_rule_of_a_file_can_fail() {
        assert!(broken("a/b.rs", "fn f() {}\n")[0].contains("`//!`"));
        assert!(broken("a/utils.rs", "//! x\n")[0].contains("utils"));
        assert!(broken("a/helpers/mod.rs", "//! x\n")[0].contains("helpers"));
        let unfinished = format!("//! x\nfn f() {{ {}) }}\n", concat!("to", "do!("));
        assert!(broken("a/b.rs", &unfinished)[0].contains("a/b.rs:2"));
        let long = format!("//! x\n{}", "\n".repeat(LONGEST));
        assert!(broken("a/b.rs", &long)[0].contains("601 lines"));
    }

    #[test]
    fn a_sibling_that_sees_a_sibling_is_named() {
        let package = |name: &str, sees: &str| json!({"packages": [{"name": name, "dependencies": [{"name": sees, "path": "/somewhere"}]}]});
        assert!(direction(&package("policy", "wire"))[0].contains("`policy` depends on `wire`"));
        assert!(direction(&package("model", "store"))[0].contains("may not see"));
        assert!(direction(&package("pointsman", "wire")).is_empty());
        assert!(direction(&package("stranger", "model"))[0].contains("no place"));
    }

    #[test]
    fn what_a_program_makes_may_not_be_tracked() {
        assert!(generated("tests/node_modules/x/index.js").is_some());
        assert!(generated("target/debug/x").is_some());
        assert!(generated("tests/a.pyc").is_some());
        assert!(generated("crates/sim/src/targets.rs").is_none());
    }
}
