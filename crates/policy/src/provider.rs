//! An account at a vendor or a server of one's own, as the checked policy knows it.

use crate::Terms;
use model::Dialect;
use serde::{Serialize, Serializer};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// `providers.<name>`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Provider {
    /// Its place in [`crate::Policy::providers`].
    pub index: usize,
    /// Its name, the part of a target before the slash.
    pub name: Arc<str>,
    /// The built-in row it starts from.
    pub preset: Option<&'static str>,
    /// The language it is spoken to in.
    pub dialect: Dialect,
    /// Where it is, without a trailing slash; checked to be an `http` or `https` URL.
    pub base_url: Arc<str>,
    /// Where its key is; empty where it needs none. More than one is tried in order.
    pub secrets: Vec<SecretRef>,
    /// Access key id and secret access key, for requests that are signed.
    pub signing: Option<(SecretRef, SecretRef)>,
    /// Where it processes data; unknown satisfies no data class.
    pub region: Option<Arc<str>>,
    /// What its owner promises.
    pub terms: Terms,
    /// Whether no vendor stands behind it.
    pub self_hosted: bool,
    /// Whether a route names it while `providers:` does not.
    pub implicit: bool,
}

/// Where a secret is. The secret itself is fetched by whoever calls the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretRef {
    /// In an environment variable.
    Env(Arc<str>),
    /// In a file.
    File(PathBuf),
    /// In the configuration itself.
    Literal(Redacted),
}

/// A secret that never shows itself: not in `Debug`, not in JSON, not in errors.
#[derive(Clone, PartialEq, Eq)]
pub struct Redacted(Arc<str>);

impl Redacted {
    /// Wraps a secret.
    pub fn new(secret: &str) -> Redacted {
        Redacted(secret.into())
    }
    /// The secret, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Serialize for Redacted {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str("[redacted]")
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::Env(name) => write!(f, "environment variable {name}"),
            SecretRef::File(path) => write!(f, "file {}", path.display()),
            SecretRef::Literal(_) => f.write_str("the configuration itself"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_key_never_shows() {
        let secret = SecretRef::Literal(Redacted::new("sk-very-secret"));
        assert!(!format!("{secret:?} {secret}").contains("very"));
        assert!(!serde_json::to_string(&secret).unwrap().contains("very"));
    }
}
