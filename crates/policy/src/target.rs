//! A callable model, interned: one object per target, with a dense number for tables of health and metrics.

use crate::{Provider, hash};
use model::{Capability, ModelFacts};
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// `provider/model`, with everything that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Its slot in tables over [`crate::Policy::targets`]. Aliases of one model share a slot, and so do all models of
    /// a provider that neither the catalog nor the file lists (see `shared`).
    pub index: usize,
    /// `provider/model`.
    pub name: Arc<str>,
    /// Where it is called.
    pub provider: Arc<Provider>,
    /// The id the provider is sent.
    pub model: Arc<str>,
    /// What is known of it.
    pub facts: ModelFacts,
    /// Whether somebody says what it can do: the catalog, or `can:` in the file.
    pub can_known: bool,
    /// Whether its slot is the provider's common one for unlisted models. What is learnt there of one model
    /// (that it is gone) says nothing of the others.
    pub shared: bool,
    /// A stable hash of the name.
    pub(crate) hash: u64,
}

impl Target {
    pub(crate) fn new(index: usize, provider: &Arc<Provider>, model: &str, facts: ModelFacts) -> Target {
        let name: Arc<str> = format!("{}/{model}", provider.name).into();
        let hash = hash::fnv64(name.as_bytes());
        Target {
            index,
            name,
            provider: provider.clone(),
            model: model.into(),
            facts,
            can_known: false,
            shared: false,
            hash,
        }
    }

    /// Whether it thinks before it answers, as far as anybody says.
    pub fn reasons(&self) -> bool {
        self.facts.can.has(Capability::Reasoning)
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        (&self.name, &self.facts, self.can_known).serialize(s)
    }
}
