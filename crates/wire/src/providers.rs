//! THE table: one row per vendor.
//!
//! A row states facts; no code anywhere asks for a vendor by name. A vendor that speaks a known dialect is one row
//! here and one fixture in `fixtures/`. Facts come from the vendors' own references, autumn 2026.

use model::{Dialect, ProviderPreset};

/// A vendor: what is taken for granted of a provider unless the configuration says otherwise.
#[derive(Debug)]
pub struct Row {
    /// Name, address, key: what policy and the configuration see.
    pub preset: ProviderPreset,
    /// How the key travels.
    pub auth: Auth,
    /// Which headers tell when a limit resets.
    pub limits: Limits,
    /// The path put before the dialect's own where a base URL has none.
    pub default_path: &'static str,
    /// What holds when it is spoken to in OpenAI Chat Completions.
    pub openai: OpenAiFacts,
}

/// How a provider's key travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// The key alone in the named header.
    Header(&'static str),
}

/// The family of a vendor's limit headers. `retry-after` and `retry-after-ms` are read everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// `x-ratelimit-remaining` and `x-ratelimit-reset`, each with these endings. A reset is a duration like `6m0s`,
    /// seconds, or a Unix time in seconds or milliseconds.
    Endings(&'static [&'static str]),
    /// `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{remaining,reset}`; RFC 3339.
    Anthropic,
}

/// How a vendor differs from OpenAI when it speaks OpenAI Chat Completions. Used in translations only: requests in
/// the same dialect pass as they are, but for the usage of streams.
#[derive(Clone, Copy, Debug)]
pub struct OpenAiFacts {
    /// The field that limits the answer: `max_completion_tokens` or `max_tokens`.
    pub limit_field: &'static str,
    /// Whether `stream_options.include_usage` is understood. Where not, usage comes unasked.
    pub stream_options: bool,
    /// Whether `response_format: json_schema` is.
    pub json_schema: bool,
    /// Whether the role `developer` is.
    pub developer_role: bool,
    /// Whether `user` is.
    pub user: bool,
    /// Whether `top_k` is.
    pub top_k: bool,
    /// Most stop sequences of one request.
    pub stops: usize,
    /// Whether it fetches pictures from an address.
    pub image_urls: bool,
    /// Whether a reasoning level is understood, and where.
    pub reasoning: ReasoningField,
    /// Whether it takes its own thinking back in the history, and where.
    pub replay: Replay,
}

/// Where a level of thinking is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningField {
    /// `reasoning_effort: "low"`.
    Effort,
    /// `reasoning: {"effort": "low"}` or `{"max_tokens": N}`.
    Object,
    /// Nowhere.
    None,
}

/// How a vendor takes its own thinking back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// Not at all.
    Never,
    /// As `reasoning_details`, signed.
    Details,
}

const OPENAI: OpenAiFacts = OpenAiFacts {
    limit_field: "max_completion_tokens",
    stream_options: true,
    json_schema: true,
    developer_role: true,
    user: true,
    top_k: false,
    stops: 4,
    image_urls: true,
    reasoning: ReasoningField::Effort,
    replay: Replay::Never,
};

/// What most servers that call themselves compatible understand.
const COMPATIBLE: OpenAiFacts =
    OpenAiFacts { limit_field: "max_tokens", developer_role: false, top_k: true, ..OPENAI };

const PLAIN: Row = Row {
    preset: ProviderPreset {
        name: "openai-compatible",
        title: "OpenAI-compatible server",
        dialects: &[Dialect::OpenAi],
        base_url: None,
        key_env: &[],
        self_hosted: false,
    },
    auth: Auth::Bearer,
    limits: Limits::Endings(&["-requests", "-tokens", "-input-tokens", ""]),
    default_path: "/v1",
    openai: COMPATIBLE,
};

const fn vendor(
    name: &'static str,
    title: &'static str,
    base_url: &'static str,
    key_env: &'static [&'static str],
) -> ProviderPreset {
    let dialects = &[Dialect::OpenAi];
    ProviderPreset { name, title, dialects, base_url: Some(base_url), key_env, self_hosted: false }
}

static ROWS: &[Row] = &[
    Row {
        preset: vendor("openai", "OpenAI", "https://api.openai.com/v1", &["OPENAI_API_KEY"]),
        openai: OPENAI,
        ..PLAIN
    },
    Row {
        preset: ProviderPreset {
            dialects: &[Dialect::Anthropic],
            ..vendor("anthropic", "Anthropic", "https://api.anthropic.com", &["ANTHROPIC_API_KEY"])
        },
        auth: Auth::Header("x-api-key"),
        limits: Limits::Anthropic,
        default_path: "",
        ..PLAIN
    },
    Row {
        preset: ProviderPreset {
            base_url: None,
            ..vendor("azure", "Azure OpenAI", "", &["AZURE_OPENAI_API_KEY", "AZURE_API_KEY"])
        },
        auth: Auth::Header("api-key"),
        default_path: "/openai/v1",
        openai: OPENAI,
        ..PLAIN
    },
    Row {
        preset: vendor("together", "Together AI", "https://api.together.xyz/v1", &["TOGETHER_API_KEY"]),
        limits: Limits::Endings(&[""]),
        ..PLAIN
    },
    Row {
        preset: vendor("mistral", "Mistral AI", "https://api.mistral.ai/v1", &["MISTRAL_API_KEY"]),
        // Refuses fields it does not know; sends usage unasked in the last chunk.
        openai: OpenAiFacts { stream_options: false, user: false, top_k: false, ..COMPATIBLE },
        ..PLAIN
    },
    Row {
        preset: vendor("groq", "Groq", "https://api.groq.com/openai/v1", &["GROQ_API_KEY"]),
        // `-requests` counts a day and `-tokens` a minute; the resets are durations all the same.
        openai: OpenAiFacts { limit_field: "max_completion_tokens", top_k: false, ..COMPATIBLE },
        ..PLAIN
    },
    Row {
        preset: vendor("deepseek", "DeepSeek", "https://api.deepseek.com/v1", &["DEEPSEEK_API_KEY"]),
        openai: OpenAiFacts {
            json_schema: false,
            user: false,
            top_k: false,
            stops: 16,
            reasoning: ReasoningField::None,
            ..COMPATIBLE
        },
        ..PLAIN
    },
    Row {
        preset: vendor("xai", "xAI", "https://api.x.ai/v1", &["XAI_API_KEY"]),
        openai: OpenAiFacts { limit_field: "max_completion_tokens", top_k: false, ..COMPATIBLE },
        ..PLAIN
    },
    Row {
        preset: vendor(
            "fireworks",
            "Fireworks AI",
            "https://api.fireworks.ai/inference/v1",
            &["FIREWORKS_API_KEY"],
        ),
        ..PLAIN
    },
    Row {
        preset: vendor("cerebras", "Cerebras", "https://api.cerebras.ai/v1", &["CEREBRAS_API_KEY"]),
        limits: Limits::Endings(&["-requests-day", "-tokens-minute"]),
        openai: OpenAiFacts {
            limit_field: "max_completion_tokens",
            top_k: false,
            image_urls: false,
            ..COMPATIBLE
        },
        ..PLAIN
    },
    Row {
        preset: vendor("openrouter", "OpenRouter", "https://openrouter.ai/api/v1", &["OPENROUTER_API_KEY"]),
        limits: Limits::Endings(&[""]),
        openai: OpenAiFacts { reasoning: ReasoningField::Object, replay: Replay::Details, ..COMPATIBLE },
        ..PLAIN
    },
    Row {
        preset: ProviderPreset {
            self_hosted: true,
            ..vendor("ollama", "Ollama", "http://127.0.0.1:11434/v1", &[])
        },
        // Takes pictures in the request only.
        openai: OpenAiFacts { image_urls: false, ..COMPATIBLE },
        ..PLAIN
    },
    Row {
        preset: ProviderPreset {
            self_hosted: true,
            ..vendor("vllm", "vLLM", "http://127.0.0.1:8000/v1", &[])
        },
        ..PLAIN
    },
    PLAIN,
    Row {
        preset: ProviderPreset {
            name: "anthropic-compatible",
            title: "Anthropic-compatible server",
            dialects: &[Dialect::Anthropic],
            base_url: None,
            key_env: &[],
            self_hosted: false,
        },
        auth: Auth::Header("x-api-key"),
        limits: Limits::Anthropic,
        default_path: "",
        ..PLAIN
    },
];

/// Every row.
pub fn rows() -> &'static [Row] {
    ROWS
}

/// The row of a vendor.
pub fn row(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.preset.name == name)
}

/// The row for a provider that the configuration describes by its dialect alone.
pub fn plain(dialect: Dialect) -> &'static Row {
    static FALLBACK: Row = PLAIN;
    ROWS.iter()
        .find(|row| row.preset.name.ends_with("-compatible") && row.preset.dialects[0] == dialect)
        .unwrap_or(&FALLBACK)
}

impl Row {
    /// A provider's base URL as requests need it: without a trailing slash, with the version where the dialect's
    /// paths do not name it, without it where they do. Called once when the configuration is read; what it returns
    /// and [`crate::Outgoing::path_and_query`] are simply put together.
    pub fn base(&self, dialect: Dialect, base_url: &str) -> String {
        let base = base_url.trim_end_matches('/');
        let authority = base.find("://").map_or(0, |scheme| scheme + 3);
        let path = base[authority..].find('/').map_or("", |slash| &base[authority + slash..]);
        match dialect {
            Dialect::OpenAi | Dialect::Responses if path.is_empty() => {
                let default = if self.default_path.is_empty() { "/v1" } else { self.default_path };
                format!("{base}{default}")
            }
            Dialect::OpenAi | Dialect::Responses => base.to_owned(),
            _ => {
                let versions = ["/v1", "/v1beta", "/v2"];
                let bare = versions.iter().find_map(|version| base.strip_suffix(version));
                bare.unwrap_or(base).to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_with_or_without_its_version_leads_to_the_same_place() {
        let openai = plain(Dialect::OpenAi);
        assert_eq!(openai.base(Dialect::OpenAi, "http://127.0.0.1:9000"), "http://127.0.0.1:9000/v1");
        assert_eq!(openai.base(Dialect::OpenAi, "http://127.0.0.1:9000/v1/"), "http://127.0.0.1:9000/v1");
        assert_eq!(
            openai.base(Dialect::OpenAi, "https://api.groq.com/openai/v1"),
            "https://api.groq.com/openai/v1"
        );
        let anthropic = plain(Dialect::Anthropic);
        assert_eq!(
            anthropic.base(Dialect::Anthropic, "https://api.anthropic.com/v1"),
            "https://api.anthropic.com"
        );
        assert_eq!(
            anthropic.base(Dialect::Anthropic, "https://api.anthropic.com/"),
            "https://api.anthropic.com"
        );
        let azure = row("azure").unwrap();
        assert_eq!(
            azure.base(Dialect::OpenAi, "https://acme-eu.openai.azure.com"),
            "https://acme-eu.openai.azure.com/openai/v1"
        );
    }

    #[test]
    fn every_row_has_its_own_name_and_a_dialect_and_vendors_have_an_address() {
        let mut names: Vec<_> = rows().iter().map(|row| row.preset.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), rows().len());
        for row in rows() {
            assert!(!row.preset.dialects.is_empty(), "{}", row.preset.name);
            let owners_own = row.preset.name.ends_with("-compatible") || row.preset.name == "azure";
            assert_eq!(row.preset.base_url.is_none(), owners_own, "{}", row.preset.name);
        }
        assert_eq!(plain(Dialect::OpenAi).preset.name, "openai-compatible");
        assert_eq!(plain(Dialect::Anthropic).preset.name, "anthropic-compatible");
    }
}
