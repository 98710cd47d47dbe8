//! A small catalog and a small world, for every test of this crate.
#![allow(dead_code, clippy::unwrap_used)]

use model::{
    Capabilities, CatalogModel, Dialect, ModelFacts, Now, Operation, ProviderPreset, Rates, Request, Tick,
    Timestamp,
};
use policy::file::{Known, Loaded, load};
use policy::{Health, Policy, Target, World};
use std::collections::HashMap;

const fn preset(
    name: &'static str,
    title: &'static str,
    dialects: &'static [Dialect],
    base_url: Option<&'static str>,
    key_env: &'static [&'static str],
) -> ProviderPreset {
    ProviderPreset { name, title, dialects, base_url, key_env, self_hosted: false }
}

pub const PRESETS: &[ProviderPreset] = &[
    preset(
        "openai",
        "OpenAI",
        &[Dialect::OpenAi, Dialect::Responses],
        Some("https://api.openai.com/v1"),
        &["OPENAI_API_KEY"],
    ),
    preset(
        "anthropic",
        "Anthropic",
        &[Dialect::Anthropic],
        Some("https://api.anthropic.com"),
        &["ANTHROPIC_API_KEY"],
    ),
    preset("mistral", "Mistral", &[Dialect::OpenAi], Some("https://api.mistral.ai/v1"), &["MISTRAL_API_KEY"]),
    preset(
        "together",
        "Together",
        &[Dialect::OpenAi],
        Some("https://api.together.xyz/v1"),
        &["TOGETHER_API_KEY"],
    ),
    preset("azure", "Azure OpenAI", &[Dialect::OpenAi], None, &["AZURE_OPENAI_API_KEY"]),
    ProviderPreset {
        self_hosted: true,
        ..preset("ollama", "Ollama", &[Dialect::OpenAi], Some("http://127.0.0.1:11434/v1"), &[])
    },
];

fn row(provider: &str, model: &str, context: u64, price: (&str, &str), can: &[&str]) -> CatalogModel {
    CatalogModel {
        provider: provider.to_owned(),
        model: model.to_owned(),
        aliases: Vec::new(),
        facts: ModelFacts {
            context: Some(context),
            max_output: Some(16_384),
            can: can.iter().map(|c| c.parse().unwrap()).collect(),
            rates: Some(Rates {
                input: price.0.parse().unwrap(),
                output: price.1.parse().unwrap(),
                ..Rates::default()
            }),
        },
        as_of: Some("2026-11-01".to_owned()),
    }
}

pub fn catalog() -> Vec<CatalogModel> {
    let full = ["tools", "parallel_tools", "vision", "json_schema", "json_object"];
    let thinking = ["tools", "parallel_tools", "vision", "json_schema", "json_object", "reasoning", "prefix"];
    let mut models = vec![
        row("openai", "gpt-4.1", 1_047_576, ("2", "8"), &full),
        row("openai", "gpt-4.1-mini", 1_047_576, ("0.4", "1.6"), &full),
        row("anthropic", "claude-sonnet-4-5", 200_000, ("3", "15"), &thinking),
        row("azure", "gpt-4.1", 1_047_576, ("2", "8"), &full),
        row("mistral", "mistral-small-latest", 128_000, ("0.1", "0.3"), &["tools", "json_schema"]),
        row("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", 131_072, ("0.88", "0.88"), &["tools"]),
    ];
    models[0].aliases.push("gpt-4.1-2025-04-14".to_owned());
    models
}

pub const WALL: Timestamp = Timestamp(1_795_000_000_000_000);
pub const NOW: Now = Now { wall: WALL, tick: Tick(1_000_000_000) };

/// Loads with every environment variable set, and the example files readable.
pub fn load_text(text: &str) -> Loaded {
    load_with(text, &|_| true)
}

pub fn load_with(text: &str, env: &dyn Fn(&str) -> bool) -> Loaded {
    let models = catalog();
    let read = |path: &str| {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/");
        std::fs::read_to_string(format!("{root}{path}")).map_err(|_| "no such file".to_owned())
    };
    load(text, &Known { presets: PRESETS, models: &models, env, read: &read, now: WALL })
}

/// A policy that must load.
pub fn policy(text: &str) -> Policy {
    let loaded = load_text(text);
    let told: Vec<String> = loaded.findings.iter().map(|f| f.to_string()).collect();
    loaded.policy.unwrap_or_else(|| panic!("{}", told.join("\n\n")))
}

/// A request for a workflow or target, streaming, with nothing special about it.
pub fn request(model: &str) -> Request<'_> {
    Request {
        dialect: Dialect::OpenAi,
        operation: Operation::Chat,
        model,
        workflow: None,
        data_class: None,
        stream: true,
        needs: Capabilities::NONE,
        estimated_tokens: 500,
        max_output: None,
        deadline: None,
        session: None,
        headers: &[],
        caller: None,
    }
}

/// Health by target name; everybody else is well.
#[derive(Clone, Default)]
pub struct Table(pub HashMap<String, Health>);

impl Table {
    pub fn with(mut self, target: &str, health: Health) -> Table {
        self.0.insert(target.to_owned(), health);
        self
    }
}

impl World for Table {
    fn health(&self, target: &Target) -> Health {
        self.0.get(&*target.name).copied().unwrap_or_default()
    }
}

/// The names of a plan's steps.
pub fn names(plan: &policy::Plan) -> Vec<&str> {
    plan.steps().iter().map(|s| &*s.target().name).collect()
}
