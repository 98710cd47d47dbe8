//! Why a step may be taken at all.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The permission a step carries. Only the planner makes steps, so a step without one cannot exist.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permit {
    /// The route's first tier.
    Primary,
    /// The client named the target itself and may.
    Direct,
    /// A fallback proven by this certificate.
    Certified(Arc<str>),
    /// A fallback that policy allows without proof.
    Uncertified,
}

impl Permit {
    /// The ledger's word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Permit::Primary => "primary",
            Permit::Direct => "direct",
            Permit::Certified(_) => "certified",
            Permit::Uncertified => "uncertified",
        }
    }
}
