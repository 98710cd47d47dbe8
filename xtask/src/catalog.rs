//! `cargo xtask catalog`: the prices and capabilities of the world's models, as one reviewable file of ours.
//!
//! Two public lists, pinned by version and hash, are fetched with pip, read without being run, joined and
//! written to `crates/wire/data/catalog.json`. The originals are never kept. The rules of the join:
//!
//! 1. **Prices** come from genai-prices. Where it does not name a model, the row of litellm's list is taken;
//!    where it names the model only through a pattern, or by a name that moves (`-latest`), and litellm lists
//!    that very id at another price, litellm's row is taken too: it has one row for each id, where a pattern
//!    blurs regions and variants and a moving name is easily left behind.
//!    A rate that the chosen list lacks is filled from the other only if both agree on input and output.
//! 2. Of prices with dates, the one in force on [`RETRIEVED`] is kept. Of prices by the hour, the dearest is
//!    kept, so that a budget is never overrun.
//! 3. **Context, output limit and capabilities** come from litellm. `context` is the window that prompt and
//!    answer share: genai-prices' where litellm is silent or gives the same window as input and output apart.
//! 4. A model that litellm does not list for the provider borrows its capabilities (never price or sizes)
//!    from the row of the same model at its maker or at another host.
//! 5. Unknown is absent. A price of zero in litellm's list means unknown there and is dropped.
//! 6. An id with a date is an alias of the undated id only if every fact is the same.
//!
//! [`decimal`] keeps prices exact; [`prices`] and [`models`] read one list each; [`known`] is the table of
//! what neither list says; [`names`] knows a model under every spelling; [`join`] applies the rules; [`mod@file`]
//! writes the form and checks it.

mod decimal;
mod file;
mod join;
mod known;
mod models;
mod names;
mod prices;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, root};

/// The day on which the pinned lists were fetched, and so the day for which the prices are given.
const RETRIEVED: &str = "2026-11-22";

/// One package that carries a list.
struct Source {
    name: &'static str,
    version: &'static str,
    /// SHA-256 of the wheel; pip refuses any other bytes.
    sha256: &'static str,
    licence: &'static str,
    gives: &'static str,
}

const SOURCES: [Source; 2] = [
    Source {
        name: "genai-prices",
        version: "0.2.3",
        sha256: "56976ce2b04ec206117f7d0e53f4849211a6724ab3a12119afec304eba63ee25",
        licence: "MIT",
        gives: "prices; context where the other is silent or gives input and output apart",
    },
    Source {
        name: "litellm",
        version: "1.109.1",
        sha256: "1c8b4dd671fa0cd0850aa751678704ff77e595fb1e6085b2dc3be39ee19bdaaf",
        licence: "MIT",
        gives: "context, output limit, capabilities; prices where the other is silent or only matches a pattern",
    },
];

/// Makes the catalog again and says what was decided. `--lists FILE` reads the output of an earlier
/// `read_lists.py` instead of fetching; `--check` only checks the committed file.
pub fn run(arguments: &[String]) -> Outcome {
    let target = root().join("crates/wire/data/catalog.json");
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--check"] => {
            let text = std::fs::read_to_string(&target).map_err(|e| format!("{}: {e}", target.display()))?;
            println!("{} models, nothing wrong", file::check(&text)?);
            Ok(())
        }
        [] => make(&fetch()?, &target),
        ["--lists", path] => {
            make(&std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?, &target)
        }
        _ => Err("usage: cargo xtask catalog [--check | --lists FILE]".into()),
    }
}

fn make(lists: &str, target: &Path) -> Outcome {
    let lists: serde_json::Value = serde_json::from_str(lists).map_err(|e| format!("read_lists.py: {e}"))?;
    let prices = prices::read(&lists["prices"], RETRIEVED)?;
    let models = models::read(&lists["models"])?;
    let joined = join::join(&prices, &models);
    let text = file::write(&joined.rows);
    file::check(&text)?;
    std::fs::create_dir_all(target.parent().unwrap_or(target)).map_err(|e| e.to_string())?;
    std::fs::write(target, &text).map_err(|e| format!("{}: {e}", target.display()))?;
    joined.tell();
    println!("{}: {} bytes", target.display(), text.len());
    Ok(())
}

/// Fetches both wheels into a temporary directory and reads them; nothing of them stays.
fn fetch() -> Outcome<String> {
    let directory = std::env::temp_dir().join(format!("catalog-{}", std::process::id()));
    std::fs::create_dir_all(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let text = read_wheels(&directory);
    let removed = std::fs::remove_dir_all(&directory);
    let text = text?;
    removed.map_err(|e| format!("{} could not be removed: {e}", directory.display()))?;
    Ok(text)
}

fn read_wheels(directory: &Path) -> Outcome<String> {
    let requirements: String = SOURCES
        .iter()
        .map(|source| format!("{}=={} --hash=sha256:{}\n", source.name, source.version, source.sha256))
        .collect();
    let pins = directory.join("pins.txt");
    let reader = directory.join("read_lists.py");
    std::fs::write(&pins, requirements).map_err(|e| e.to_string())?;
    std::fs::write(&reader, include_str!("catalog/read_lists.py")).map_err(|e| e.to_string())?;
    // The platform is fixed because the second wheel is built per platform and only one of them is pinned.
    let fetched = Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"])
        .args(["--platform", "manylinux_2_28_x86_64", "--python-version", "3.11"])
        .arg("--dest")
        .arg(directory)
        .arg("--requirement")
        .arg(&pins)
        .status()
        .map_err(|e| format!("python3 could not be started ({e}); install python3 and pip"))?;
    if !fetched.success() {
        return Err("pip could not fetch the pinned lists; its message is above".into());
    }
    let wheel = |name: &str| -> Outcome<PathBuf> {
        let start = name.replace('-', "_");
        std::fs::read_dir(directory)
            .map_err(|e| e.to_string())?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| {
                path.extension().is_some_and(|e| e == "whl")
                    && path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(&start))
            })
            .ok_or_else(|| format!("pip fetched no wheel of {name}"))
    };
    let output = Command::new("python3")
        .arg(&reader)
        .args([wheel(SOURCES[0].name)?, wheel(SOURCES[1].name)?])
        .output()
        .map_err(|e| format!("python3: {e}"))?;
    if !output.status.success() {
        return Err(format!("read_lists.py: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    String::from_utf8(output.stdout).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_catalog_is_well_formed_sorted_exact_and_sane() {
        let text = std::fs::read_to_string(root().join("crates/wire/data/catalog.json")).unwrap();
        assert!(file::check(&text).unwrap() > 1000);
    }

    #[test]
    fn the_committed_catalog_holds_the_models_that_people_ask_for_first() {
        let text = std::fs::read_to_string(root().join("crates/wire/data/catalog.json")).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let models = file["models"].as_array().unwrap();
        for (provider, model) in [
            ("openai", "gpt-4.1"),
            ("openai", "gpt-4.1-mini"),
            ("openai", "gpt-4o"),
            ("openai", "gpt-4o-mini"),
            ("openai", "gpt-5"),
            ("openai", "gpt-5-mini"),
            ("openai", "gpt-5-nano"),
            ("openai", "o1"),
            ("openai", "o3"),
            ("openai", "o3-mini"),
            ("openai", "o4-mini"),
            ("openai", "text-embedding-3-small"),
            ("openai", "text-embedding-3-large"),
            ("anthropic", "claude-3-haiku-20240307"),
            ("anthropic", "claude-3-5-haiku-20241022"),
            ("anthropic", "claude-3-5-sonnet-20241022"),
            ("anthropic", "claude-3-7-sonnet-20250219"),
            ("anthropic", "claude-3-opus-20240229"),
            ("anthropic", "claude-sonnet-4-20250514"),
            ("anthropic", "claude-opus-4-20250514"),
            ("anthropic", "claude-opus-4-1-20250805"),
            ("anthropic", "claude-sonnet-4-5"),
            ("anthropic", "claude-haiku-4-5"),
            ("anthropic", "claude-opus-4-5"),
            ("anthropic", "claude-sonnet-4-6"),
            ("anthropic", "claude-opus-4-8"),
            ("gemini", "gemini-2.0-flash"),
            ("gemini", "gemini-2.5-flash"),
            ("gemini", "gemini-2.5-flash-lite"),
            ("gemini", "gemini-2.5-pro"),
            ("mistral", "mistral-small-latest"),
            ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
        ] {
            let called = |row: &serde_json::Value| {
                let aliases = row["aliases"].as_array().is_some_and(|names| names.iter().any(|n| n == model));
                row["model"] == model || aliases
            };
            let row = models
                .iter()
                .find(|row| row["provider"] == provider && called(row))
                .unwrap_or_else(|| panic!("{provider}/{model} is missing"));
            assert!(row["rates"]["input"].is_string(), "{provider}/{model} has no price");
            assert!(row["context"].is_u64(), "{provider}/{model} has no context");
        }
    }

    #[test]
    fn only_models_that_continue_an_unfinished_turn_are_marked_so() {
        let text = std::fs::read_to_string(root().join("crates/wire/data/catalog.json")).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let can = |provider: &str, model: &str| {
            let rows = file["models"].as_array().unwrap();
            let row = rows.iter().find(|r| r["provider"] == provider && r["model"] == model).unwrap();
            row["can"].as_array().unwrap().iter().any(|word| word == "prefix")
        };
        assert!(can("anthropic", "claude-sonnet-4-5"));
        assert!(can("anthropic", "claude-3-5-sonnet-20241022"));
        assert!(can("mistral", "mistral-small-latest"));
        assert!(!can("anthropic", "claude-opus-4-6"));
        assert!(!can("anthropic", "claude-opus-4-8"));
        assert!(!can("openai", "gpt-4.1"));
        assert!(!can("deepseek", "deepseek-chat"));
    }
}
