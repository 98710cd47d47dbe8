//! What neither list says: whose row is whose, and what a vendor's own pages say of its models.
//!
//! Tables and one-line rules only, each with its reason. A fact belongs here only if a list lacks it or is
//! known to be wrong about it; everything else comes from the lists.

use super::models::Row;

/// One of our providers and where the two lists keep it.
pub struct Provider {
    pub ours: &'static str,
    /// The id in the first list; empty where it has none.
    pub prices: &'static str,
    /// The ids in the second list.
    pub hosts: &'static [&'static str],
    /// What a key of the second list starts with before the id that one sends; rows with another start
    /// belong to someone else or to no one model. `Some("")` means that the key is the id.
    pub start: &'static [&'static str],
}

/// Our providers. One row each; a new provider needs nothing else.
pub const PROVIDERS: [Provider; 26] = [
    row("anthropic", "anthropic", &["anthropic"], &[""]),
    row("azure", "azure", &["azure"], &["azure/"]),
    row("baseten", "baseten", &["baseten"], &["baseten/"]),
    row("bedrock", "aws", &["bedrock", "bedrock_converse"], &[""]),
    row("cerebras", "cerebras", &["cerebras"], &["cerebras/"]),
    row("cohere", "cohere", &["cohere", "cohere_chat"], &["cohere/", ""]),
    row("deepinfra", "", &["deepinfra"], &["deepinfra/"]),
    row("deepseek", "deepseek", &["deepseek"], &["deepseek/", ""]),
    row("fireworks", "fireworks", &["fireworks_ai", "fireworks_ai-embedding-models"], &["fireworks_ai/"]),
    row("gemini", "google", &["gemini"], &["gemini/"]),
    row("groq", "groq", &["groq"], &["groq/"]),
    row("hyperbolic", "", &["hyperbolic"], &["hyperbolic/"]),
    row("minimax", "minimax", &["minimax"], &["minimax/"]),
    row("mistral", "mistral", &["mistral"], &["mistral/"]),
    row("moonshot", "moonshotai", &["moonshot"], &["moonshot/"]),
    row("nebius", "", &["nebius"], &["nebius/"]),
    row("novita", "novita", &["novita"], &["novita/"]),
    row("openai", "openai", &["openai", "text-completion-openai"], &[""]),
    row("openrouter", "openrouter", &[], &[]),
    row("perplexity", "perplexity", &["perplexity"], &["perplexity/"]),
    row("sambanova", "", &["sambanova"], &["sambanova/"]),
    row("together", "together", &["together_ai"], &["together_ai/"]),
    row("vertex", "google", VERTEX, &["vertex_ai/", ""]),
    row("voyage", "voyageai", &["voyage"], &["voyage/"]),
    row("xai", "x-ai", &["xai"], &["xai/"]),
    row("zai", "zai", &["zai"], &["zai/"]),
];

const VERTEX: &[&str] = &[
    "vertex_ai",
    "vertex_ai-language-models",
    "vertex_ai-anthropic_models",
    "vertex_ai-mistral_models",
    "vertex_ai-llama_models",
    "vertex_ai-deepseek_models",
    "vertex_ai-qwen_models",
    "vertex_ai-openai_models",
    "vertex_ai-moonshot_models",
    "vertex_ai-minimax_models",
    "vertex_ai-zai_models",
    "vertex_ai-embedding-models",
];

const fn row(
    ours: &'static str,
    prices: &'static str,
    hosts: &'static [&'static str],
    start: &'static [&'static str],
) -> Provider {
    Provider { ours, prices, hosts, start }
}

impl Provider {
    /// The id that one sends to this provider for a key of the second list, if the key is one of its models.
    pub fn id<'k>(&self, key: &'k str) -> Option<&'k str> {
        let id = self.start.iter().find_map(|start| key.strip_prefix(start)).filter(|id| !id.is_empty())?;
        let sent = match self.ours {
            // Rows with a path are prices of one region or of a commitment; fine-tunes are templates.
            "anthropic" | "openai" | "bedrock" | "azure" | "cohere" => {
                !id.contains('/') && !id.starts_with("ft:")
            }
            "deepseek" | "perplexity" => !id.contains('/'),
            "fireworks" => id.starts_with("accounts/") || id.contains("embed") || id.contains('/'),
            _ => true,
        };
        sent.then_some(id)
    }

    /// Whether an id that the first list spells out is one that this provider takes; the list also spells
    /// out what other routers and older tools call a model.
    pub fn takes(&self, id: &str) -> bool {
        let router_suffix = [":free", ":extended", ":thinking", ":beta"].iter().any(|end| id.ends_with(end));
        match self.ours {
            "openrouter" => true,
            "gemini" => {
                !router_suffix && !id.contains("claude") && !id.contains('/') && !id.ends_with("-maas")
            }
            // Of the list's Google rows only what the second list also has is known to be at Vertex.
            "vertex" => false,
            "openai" => !router_suffix && !id.starts_with("gpt-35") && !id.starts_with("ft:"),
            "bedrock" => id.contains('.') && !id.contains('@') && !id.starts_with("claude"),
            "anthropic" | "deepseek" | "xai" | "mistral" | "cohere" | "cerebras" | "azure" | "perplexity" => {
                !router_suffix && !id.contains('/')
            }
            _ => !router_suffix,
        }
    }
}

/// Models that their maker has retired from one list but that older configurations still name: the maker's
/// own id, and the row of the second list that describes the same model at another host.
/// Ids: the maker's page of model names.
pub const STILL_NAMED: [(&str, &str, &str); 17] = [
    ("anthropic", "claude-3-haiku-20240307", "vertex_ai/claude-3-haiku@20240307"),
    ("anthropic", "claude-3-sonnet-20240229", "vertex_ai/claude-3-sonnet@20240229"),
    ("anthropic", "claude-3-opus-20240229", "vertex_ai/claude-3-opus@20240229"),
    ("anthropic", "claude-3-opus-latest", "vertex_ai/claude-3-opus@20240229"),
    ("anthropic", "claude-3-5-sonnet-20240620", "vertex_ai/claude-3-5-sonnet@20240620"),
    ("anthropic", "claude-3-5-sonnet-20241022", "anthropic.claude-3-5-sonnet-20241022-v2:0"),
    ("anthropic", "claude-3-5-sonnet-latest", "anthropic.claude-3-5-sonnet-20241022-v2:0"),
    ("anthropic", "claude-3-5-haiku-20241022", "anthropic.claude-3-5-haiku-20241022-v1:0"),
    ("anthropic", "claude-3-5-haiku-latest", "anthropic.claude-3-5-haiku-20241022-v1:0"),
    ("anthropic", "claude-3-7-sonnet-20250219", "anthropic.claude-3-7-sonnet-20250219-v1:0"),
    ("anthropic", "claude-3-7-sonnet-latest", "anthropic.claude-3-7-sonnet-20250219-v1:0"),
    ("anthropic", "claude-sonnet-4-0", "anthropic.claude-sonnet-4-20250514-v1:0"),
    ("anthropic", "claude-sonnet-4-20250514", "anthropic.claude-sonnet-4-20250514-v1:0"),
    ("anthropic", "claude-opus-4-0", "anthropic.claude-opus-4-1-20250805-v1:0"),
    ("anthropic", "claude-opus-4-20250514", "anthropic.claude-opus-4-1-20250805-v1:0"),
    ("anthropic", "claude-opus-4-1", "anthropic.claude-opus-4-1-20250805-v1:0"),
    ("anthropic", "claude-opus-4-1-20250805", "anthropic.claude-opus-4-1-20250805-v1:0"),
];

/// Models that no host in the second list describes any more, as their maker's pages described them: the most
/// they give, and what they can do.
pub const STATED: [(&str, &str, u64, &[&str]); 2] =
    [("gemini", "gemini-2.0-flash", 8192, GEMINI_2_0), ("gemini", "gemini-2.0-flash-lite", 8192, GEMINI_2_0)];

const GEMINI_2_0: &[&str] =
    &["tools", "parallel_tools", "vision", "audio", "pdf", "json_schema", "json_object", "prompt_cache"];

/// Whether the model continues an assistant's unfinished turn. Only three families do: Claude up to the
/// generation that began to refuse it (the second list says which; of Claude 3 it says nothing, and all of
/// Claude 3 does), and Mistral's own chat models (`prefix: true`; its reasoning line and hosted guests do
/// not). DeepSeek's is a separate beta address, so it does not count.
pub fn continues(provider: &str, id: &str, row: &Row) -> bool {
    match provider {
        "anthropic" | "bedrock" | "vertex" if id.contains("claude") => {
            row.prefix.unwrap_or(id.contains("claude-3") || id.contains("claude-v2"))
        }
        "mistral" => {
            ["mistral", "ministral", "open-mistral", "open-mixtral", "codestral", "devstral", "pixtral"]
                .iter()
                .any(|family| id.starts_with(family))
                && !["embed", "ocr", "moderation", "vibe", "mistral-code"]
                    .iter()
                    .any(|word| id.contains(word))
        }
        _ => false,
    }
}

/// Whether structured output holds the model to a schema. At Anthropic, Bedrock and Vertex the second list
/// also says yes where a forced tool call stands in for it; DeepSeek documents JSON mode only.
pub fn holds_to_schema(provider: &str, id: &str, row: &Row) -> bool {
    match provider {
        "anthropic" | "bedrock" | "vertex" if id.contains("claude") => row.native_schema,
        "deepseek" => false,
        _ => row.can.contains("json_schema"),
    }
}

/// Whether the provider has a JSON mode without a schema. No list says it; the vendors' references do, for
/// every chat model that can also be held to a schema, and for all of DeepSeek's and Mistral's.
pub fn has_json_mode(provider: &str, id: &str, schema: bool) -> bool {
    match provider {
        "anthropic" | "bedrock" | "perplexity" | "voyage" => false,
        "vertex" | "openrouter" => schema && !id.contains("claude"),
        "deepseek" | "mistral" => true,
        _ => schema,
    }
}

/// Vendors whose models return several tool calls in one turn whenever they have tools; the second list
/// marks this for the OpenAI dialect only.
pub fn calls_in_parallel(provider: &str, id: &str) -> bool {
    matches!(provider, "anthropic" | "gemini" | "mistral")
        || matches!(provider, "bedrock" | "vertex") && (id.contains("claude") || id.contains("gemini"))
}

/// Words in an id that say the model is not one of text in, text out.
pub const NOT_TEXT: [&str; 14] = [
    "image",
    "tts",
    "whisper",
    "transcribe",
    "realtime",
    "-live",
    "ocr",
    "voice",
    "banana",
    "sonic",
    "orpheus",
    "video",
    "flux",
    "speech",
];

/// Whose row is asked first when a model's capabilities are borrowed: makers, then hosts that describe their
/// models with care. Hosts that are not here are asked last.
pub const MAKERS: [&str; 19] = [
    "openai",
    "anthropic",
    "gemini",
    "mistral",
    "cohere_chat",
    "cohere",
    "deepseek",
    "xai",
    "moonshot",
    "zai",
    "minimax",
    "voyage",
    "vertex_ai-anthropic_models",
    "vertex_ai-language-models",
    "together_ai",
    "groq",
    "fireworks_ai",
    "bedrock_converse",
    "deepinfra",
];
