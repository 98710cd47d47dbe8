//! What a model can do, as a small set of facts that the catalog states and a request needs.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

macro_rules! capabilities {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// One thing a model can do. The names are those of `needs:` and `can:` in the configuration.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Capability { $($(#[$doc])* $variant,)* }

        impl Capability {
            /// Every capability, in order.
            pub const ALL: &'static [Capability] = &[$(Capability::$variant,)*];
            /// Every name, in the same order.
            pub const NAMES: &'static [&'static str] = &[$($name,)*];
            /// The name in configuration and catalog.
            pub fn name(self) -> &'static str {
                match self { $(Capability::$variant => $name,)* }
            }
        }
    };
}

// The ledger stores the set as bits in this order: new ones go to the end.
capabilities! {
    /// Calls tools.
    Tools = "tools",
    /// Calls several tools in one answer.
    ParallelTools = "parallel_tools",
    /// Reads pictures.
    Vision = "vision",
    /// Hears sound.
    Audio = "audio",
    /// Reads PDF documents.
    Pdf = "pdf",
    /// Holds its answer to a JSON Schema.
    JsonSchema = "json_schema",
    /// Answers in JSON without a schema.
    JsonObject = "json_object",
    /// Thinks before it answers.
    Reasoning = "reasoning",
    /// Caches prompts at the vendor.
    PromptCache = "prompt_cache",
    /// Continues an assistant's unfinished turn.
    Prefix = "prefix",
    /// Reads 200,000 tokens or more.
    LongContext = "long_context",
    /// Turns text into vectors.
    Embeddings = "embeddings",
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Capability {
    type Err = ();
    fn from_str(s: &str) -> Result<Capability, ()> {
        Capability::ALL.iter().copied().find(|c| c.name() == s).ok_or(())
    }
}

/// A set of capabilities; serialised as a list of names, or as bits where nobody reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u32);

impl Capabilities {
    /// The empty set.
    pub const NONE: Capabilities = Capabilities(0);

    /// Whether `capability` is in the set.
    pub fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u32) != 0
    }
    /// Adds one.
    pub fn insert(&mut self, capability: Capability) {
        self.0 |= 1 << capability as u32;
    }
    /// The set with one more.
    pub fn with(mut self, capability: Capability) -> Capabilities {
        self.insert(capability);
        self
    }
    /// Both sets together.
    pub fn union(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }
    /// What is in this set and not in `other`.
    pub fn minus(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 & !other.0)
    }
    /// Nothing in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The members, in order.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.iter().copied().filter(move |c| self.has(*c))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(iter: I) -> Capabilities {
        iter.into_iter().fold(Capabilities::NONE, Capabilities::with)
    }
}

impl Serialize for Capabilities {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.collect_seq(self.iter().map(Capability::name))
        } else {
            s.serialize_u32(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Capabilities {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Capabilities, D::Error> {
        if !d.is_human_readable() {
            return u32::deserialize(d).map(Capabilities);
        }
        let names = Vec::<String>::deserialize(d)?;
        names
            .iter()
            .map(|n| n.parse().map_err(|()| serde::de::Error::custom(format!("unknown capability `{n}`"))))
            .collect()
    }
}
