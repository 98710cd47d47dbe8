//! Policies for those who have no file yet: the one `serve` uses without one, and the text `init` writes.

use super::load::{Known, load};
use crate::policy::{Parts, TargetTable};
use crate::{Policy, Server, Store, Telemetry};
use model::ProviderPreset;
use std::fmt::Write;

/// A small, current and cheap model of a vendor, to begin a route with.
const FIRST_MODELS: &[(&str, &str)] = &[
    ("anthropic", "claude-sonnet-4-5"),
    ("openai", "gpt-4.1-mini"),
    ("mistral", "mistral-small-latest"),
    ("groq", "llama-3.3-70b-versatile"),
    ("deepseek", "deepseek-chat"),
    ("xai", "grok-3-mini"),
    ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    ("fireworks", "accounts/fireworks/models/llama-v3p3-70b-instruct"),
    ("openrouter", "openai/gpt-4.1-mini"),
];

/// The policy of `serve` without a file: these providers, no workflows, direct targets for every key.
///
/// A preset whose address only its owner knows is left out.
pub fn from_keys(presets_found: &[&ProviderPreset], known: &Known<'_>) -> Policy {
    let mut text = String::from("providers:\n");
    for preset in presets_found.iter().filter(|p| p.base_url.is_some()) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {}: {{}}", preset.name);
    }
    load(&text, known).policy.unwrap_or_else(|| {
        // Only a built-in row with an unusable address leads here; then nothing is served rather than a guess.
        Policy::assemble(Parts {
            server: Server::default(),
            store: Store::default(),
            providers: Vec::new(),
            table: TargetTable::default(),
            data_classes: Vec::new(),
            workflows: Vec::new(),
            teams: None,
            telemetry: Telemetry::default(),
        })
    })
}

/// The text that `pointsman init` writes: the providers whose keys were found, and a first workflow over them.
pub fn starter(presets_found: &[&ProviderPreset]) -> String {
    let mut text = String::from(HEAD);
    let usable: Vec<&ProviderPreset> =
        presets_found.iter().copied().filter(|p| p.base_url.is_some()).collect();
    if usable.is_empty() {
        text.push_str("providers: {}\n");
    } else {
        text.push_str("providers:\n");
    }
    for preset in &usable {
        let key = preset.key_env.first().map_or("no key".to_owned(), |env| format!("key from {env}"));
        let _ = writeln!(
            text,
            "  {}: {{}}{:pad$}# {}; {key}",
            preset.name,
            "",
            preset.title,
            pad = 24usize.saturating_sub(preset.name.len())
        );
    }
    text.push_str(MORE_PROVIDERS);
    let route: Vec<String> = usable
        .iter()
        .filter_map(|preset| {
            let (_, model) = FIRST_MODELS.iter().find(|(name, _)| *name == preset.name)?;
            Some(format!("{}/{model}", preset.name))
        })
        .collect();
    text.push_str(WORKFLOW_HEAD);
    if route.is_empty() {
        text.push_str(NO_ROUTE);
    } else {
        text.push_str("workflows:\n  assistant:\n    description: What your application asks by the name `assistant`\n    route:                          # in order: the first serves, the others take over\n");
        for target in &route {
            let _ = writeln!(text, "      - {target}");
        }
        text.push_str("    latency: {first_token: 5s, total: 2m}\n    # max_cost: 0.05                # US dollars a request\n");
    }
    text.push_str(TAIL);
    text
}

const HEAD: &str = "\
# Pointsman's policy. `pointsman check` explains every mistake in it; `pointsman serve` reloads it when it changes.

server:
  listen: 127.0.0.1:8080            # applications
  admin: 127.0.0.1:8081             # console, admin API, /metrics; needs the admin token

store:
  data_dir: ./pointsman-data        # journal, ledger, certificates

";

const MORE_PROVIDERS: &str = "
# A server of your own, and an account with a region and terms:
#
#   local:
#     dialect: openai
#     base_url: http://127.0.0.1:9000/v1
#     region: onprem
#     terms: {retention: none, training: never, baa: always}
#   openai:
#     region: us
#     terms: {retention: 30d, training: never}

# Labels that restrict where data may go. They fail closed.
#
# data_classes:
#   phi: {regions: [us, onprem], require: {retention: none, training: never, baa: true}}

";

const WORKFLOW_HEAD: &str = "\
# A workflow is a task of an application; its name is sent as the model.
";

const NO_ROUTE: &str = "\
#
# workflows:
#   assistant:
#     route: [openai/gpt-4.1-mini, anthropic/claude-sonnet-4-5]
";

const TAIL: &str = "
# Who may call what, once `pointsman keys create --team app` has made keys:
#
# teams:
#   app: {workflows: [assistant], targets: [openai/*]}
";
