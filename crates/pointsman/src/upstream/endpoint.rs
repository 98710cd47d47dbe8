//! A provider ready to be called: its address, its vendor's row, its key. Made once at load, never from a request.

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use model::Dialect;
use policy::{Provider, SecretRef};
use std::fmt;
use wire::Row;

/// A credential in memory. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The credential itself, for the header that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// A provider ready to be called.
#[derive(Debug)]
pub struct Endpoint {
    scheme: Scheme,
    authority: Authority,
    /// The base URL's own path, without a final slash.
    prefix: String,
    /// The vendor's row.
    pub row: &'static Row,
    /// The dialect we speak with it.
    pub dialect: Dialect,
    /// Its key, where it needs one and it was found.
    pub key: Option<Secret>,
    /// Why the key is missing, for the log and the attempt that fails for it.
    pub key_missing: Option<String>,
}

impl Endpoint {
    /// Resolves address and key. Errors name the provider and what to change.
    pub fn new(provider: &Provider) -> Result<Endpoint, String> {
        let name = &provider.name;
        let row = provider.preset.and_then(wire::row).unwrap_or_else(|| wire::plain(provider.dialect));
        let base = row.base(provider.dialect, &provider.base_url);
        let uri: Uri =
            base.parse().map_err(|e| format!("providers.{name}.base_url `{base}` is not a URL: {e}"))?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(format!(
                "providers.{name}.base_url needs a scheme and a host, as in https://api.example.com"
            ));
        };
        let (key, key_missing) = match find(&provider.secrets) {
            Ok(key) => (key, None),
            Err(why) => (None, Some(why)),
        };
        let prefix =
            parts.path_and_query.map_or(String::new(), |p| p.path().trim_end_matches('/').to_owned());
        Ok(Endpoint { scheme, authority, prefix, row, dialect: provider.dialect, key, key_missing })
    }

    /// The address of one operation.
    pub fn uri(&self, path_and_query: &str) -> Result<Uri, http::Error> {
        let path = if self.prefix.is_empty() {
            PathAndQuery::try_from(path_and_query)?
        } else {
            PathAndQuery::try_from(format!("{}{path_and_query}", self.prefix))?
        };
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
    }
}

/// The first secret that can be read; `None` when none is configured.
fn find(secrets: &[SecretRef]) -> Result<Option<Secret>, String> {
    let mut missing = None;
    for secret in secrets {
        match secret {
            SecretRef::Env(name) => match std::env::var(&**name) {
                Ok(value) if !value.trim().is_empty() => return Ok(Some(Secret(value.trim().to_owned()))),
                _ => missing = Some(format!("the environment variable {name} is not set")),
            },
            SecretRef::File(path) => match std::fs::read_to_string(path) {
                Ok(text) if text.trim().is_empty() => {
                    missing = Some(format!("the key file {} is empty", path.display()));
                }
                Ok(text) => return Ok(Some(Secret(text.trim().to_owned()))),
                Err(e) => missing = Some(format!("the key file {} cannot be read: {e}", path.display())),
            },
            SecretRef::Literal(value) => return Ok(Some(Secret(value.reveal().to_owned()))),
        }
    }
    missing.map_or(Ok(None), Err)
}
