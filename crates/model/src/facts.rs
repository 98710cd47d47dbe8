//! What is known of a model without asking it: window, capabilities, prices. Facts come from the catalog or the file.

use crate::{Capabilities, Dialect, Rates};
use serde::{Deserialize, Serialize};

/// Facts of one model at one provider. `None` is unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// Tokens of prompt and answer together.
    pub context: Option<u64>,
    /// Most tokens of one answer.
    pub max_output: Option<u64>,
    /// What it can do.
    pub can: Capabilities,
    /// What it charges.
    pub rates: Option<Rates>,
}

/// A model as the catalog lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CatalogModel {
    /// The provider's row, such as `anthropic`.
    pub provider: String,
    /// The id one sends to that provider.
    pub model: String,
    /// Other ids of the same model there.
    pub aliases: Vec<String>,
    /// Its facts.
    #[serde(flatten)]
    pub facts: ModelFacts,
    /// The date of the source, `YYYY-MM-DD`.
    pub as_of: Option<String>,
}

/// A vendor as policy sees it: what a provider row of the configuration takes for granted unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderPreset {
    /// The preset's name, which is also the default name of the provider.
    pub name: &'static str,
    /// The vendor, as people write it.
    pub title: &'static str,
    /// The dialects it speaks for chat, its own first.
    pub dialects: &'static [Dialect],
    /// Its base URL; `None` where only the owner knows it (Azure, a plain compatible server).
    pub base_url: Option<&'static str>,
    /// The environment variables that may hold its key, first match wins; empty where it needs none.
    pub key_env: &'static [&'static str],
    /// Whether it is a server of the owner's own, with no vendor behind it.
    pub self_hosted: bool,
}
