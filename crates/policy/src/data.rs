//! Data rules: what a provider promises, what a data class demands, and whether the one satisfies the other.
//!
//! Fails closed. A promise that nobody wrote down is no promise, and a provider without a region is nowhere.

use crate::Provider;
use model::Timestamp;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// `providers.<name>.terms`. `None` is unknown and satisfies no requirement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// How long the provider keeps what it is sent.
    pub retention: Option<Retention>,
    /// Whether it trains on it.
    pub training: Option<Training>,
    /// Whether a business associate agreement stands.
    pub baa: Option<Baa>,
}

/// How long a provider keeps data, or how long a data class lets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Retention {
    /// Not at all.
    None,
    /// At most so long.
    For(Duration),
}

/// Whether a provider trains on what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Training {
    /// It does not.
    Never,
    /// It may.
    Allowed,
}

/// A business associate agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Baa {
    /// Stands without end, or is not needed because the server is one's own.
    Always,
    /// Stands through this UTC day's end; the instant after it is carried.
    Until(Timestamp),
    /// There is none.
    Never,
}

/// `data_classes.<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataClass {
    /// Its name.
    pub name: Arc<str>,
    /// The only regions allowed; `None` for any.
    pub regions: Option<Vec<Arc<str>>>,
    /// What a provider must promise.
    pub require: Requirement,
    /// Whether `data_classes:` declares it; a label that only a workflow names restricts nothing.
    pub declared: bool,
}

/// `data_classes.<name>.require`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Requirement {
    /// Data is kept at most so long.
    pub retention: Option<Retention>,
    /// Data is never trained on.
    pub training: Option<Training>,
    /// An agreement stands.
    pub baa: bool,
}

/// Why a provider does not satisfy a data class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DataMiss {
    /// Its region is unknown, or not one of those allowed.
    Region {
        /// Where the provider is.
        is: Option<Arc<str>>,
        /// Where it must be.
        allowed: Vec<Arc<str>>,
    },
    /// It keeps data longer, or does not say.
    Retention {
        /// What it promises.
        is: Option<Retention>,
        /// What is demanded.
        required: Retention,
    },
    /// It trains, or does not say.
    Training,
    /// There is no agreement, it ended, or nobody says.
    Baa(Option<Baa>),
}

/// How a provider stands to a data class, worked out when the policy is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Always,
    Until(Timestamp),
    Never(DataMiss),
}

impl DataClass {
    /// A label without a rule.
    pub(crate) fn label(name: &str) -> DataClass {
        DataClass { name: name.into(), regions: None, require: Requirement::default(), declared: false }
    }

    /// What the class says to a provider; an agreement that ends is the only thing time can change.
    pub(crate) fn admission(&self, provider: &Provider) -> Admission {
        if let Some(allowed) = &self.regions
            && !provider.region.as_ref().is_some_and(|is| allowed.contains(is))
        {
            return Admission::Never(DataMiss::Region {
                is: provider.region.clone(),
                allowed: allowed.clone(),
            });
        }
        let terms = &provider.terms;
        if let Some(required) = self.require.retention
            && terms.retention.is_none_or(|is| is > required)
        {
            return Admission::Never(DataMiss::Retention { is: terms.retention, required });
        }
        if self.require.training == Some(Training::Never) && terms.training != Some(Training::Never) {
            return Admission::Never(DataMiss::Training);
        }
        match (self.require.baa, terms.baa) {
            (false, _) | (true, Some(Baa::Always)) => Admission::Always,
            (true, Some(Baa::Until(end))) => Admission::Until(end),
            (true, other) => Admission::Never(DataMiss::Baa(other)),
        }
    }

    /// Whether everything that satisfies `self` also satisfies `other`.
    pub(crate) fn at_least_as_strict_as(&self, other: &DataClass) -> bool {
        let regions = match (&self.regions, &other.regions) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(mine), Some(theirs)) => mine.iter().all(|r| theirs.contains(r)),
        };
        let retention = match (self.require.retention, other.require.retention) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(mine), Some(theirs)) => mine <= theirs,
        };
        let training =
            other.require.training != Some(Training::Never) || self.require.training == Some(Training::Never);
        regions && retention && training && (self.require.baa || !other.require.baa)
    }
}

impl Admission {
    /// The verdict at an instant.
    pub(crate) fn at(&self, wall: Timestamp) -> Result<(), DataMiss> {
        match self {
            Admission::Always => Ok(()),
            Admission::Until(end) if wall < *end => Ok(()),
            Admission::Until(end) => Err(DataMiss::Baa(Some(Baa::Until(*end)))),
            Admission::Never(miss) => Err(miss.clone()),
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Retention::None => f.write_str("none"),
            Retention::For(d) => write!(f, "{}", crate::file::Written(*d)),
        }
    }
}

impl fmt::Display for DataMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataMiss::Region { is: Some(is), allowed } => {
                write!(f, "its region {is} is not one of {}", allowed.join(", "))
            }
            DataMiss::Region { is: None, allowed } => {
                write!(f, "its region is unknown and must be one of {}", allowed.join(", "))
            }
            DataMiss::Retention { is: Some(is), required } => {
                write!(f, "it keeps data ({is}) and retention must be {required}")
            }
            DataMiss::Retention { is: None, required } => {
                write!(f, "its retention is unknown and must be {required}")
            }
            DataMiss::Training => f.write_str("nothing says that it never trains on the data"),
            DataMiss::Baa(Some(Baa::Until(end))) => {
                write!(f, "its business associate agreement ended at {end}")
            }
            DataMiss::Baa(_) => f.write_str("no business associate agreement is on record"),
        }
    }
}
