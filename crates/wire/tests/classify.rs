//! What a provider's error means, as a table: the body before the status, the latest reset, no key in the detail.

#![allow(clippy::unwrap_used)]

use http::HeaderMap;
use model::{Dialect, Failure, FailureKind as K, Timestamp};
use std::time::Duration;

/// 2026-11-22T16:30:00Z.
fn now() -> Timestamp {
    Timestamp::from_civil(2026, 11, 22, 16, 30, 0)
}

fn classify(vendor: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
    let row = wire::row(vendor).unwrap();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    let dialect = row.preset.dialects[0];
    wire::classify(dialect, row, status, &map, body.as_bytes(), now(), Some("sk-live-0123456789abcdef"))
}

#[test]
fn the_body_decides_before_the_status() {
    let cases: &[(&str, u16, &str, K)] = &[
        (
            "openai",
            429,
            r#"{"error":{"message":"You exceeded your current quota, please check your plan","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            K::Quota,
        ),
        (
            "openai",
            429,
            r#"{"error":{"message":"Rate limit reached for gpt-4.1 in organization org-x on tokens per min (TPM): Limit 30000","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
            K::RateLimited,
        ),
        (
            "openai",
            400,
            r#"{"error":{"message":"This model's maximum context length is 128000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            K::ContextExceeded,
        ),
        (
            "openai",
            401,
            r#"{"error":{"message":"Incorrect API key provided: sk-abc.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
            K::Auth,
        ),
        (
            "openai",
            404,
            r#"{"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
            K::ModelGone,
        ),
        (
            "openai",
            400,
            r#"{"error":{"message":"Invalid value: 'foo'.","type":"invalid_request_error","param":"messages[0].role","code":"invalid_value"}}"#,
            K::BadRequest,
        ),
        (
            "openai",
            503,
            r#"{"error":{"message":"The engine is currently overloaded, please try again later","type":"server_error"}}"#,
            K::Overloaded,
        ),
        (
            "azure",
            400,
            r#"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            K::ContentFilter,
        ),
        (
            "azure",
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
            K::ModelGone,
        ),
        (
            "anthropic",
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing"}}"#,
            K::Quota,
        ),
        (
            "anthropic",
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}"#,
            K::ContextExceeded,
        ),
        (
            "anthropic",
            403,
            r#"{"type":"error","error":{"type":"billing_error","message":"x","details":{"error_code":"contract_spend_limit_reached"}}}"#,
            K::Quota,
        ),
        (
            "anthropic",
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit"}}"#,
            K::RateLimited,
        ),
        (
            "anthropic",
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            K::Overloaded,
        ),
        (
            "anthropic",
            500,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            K::Overloaded,
        ),
        (
            "anthropic",
            404,
            r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}"#,
            K::ModelGone,
        ),
        (
            "anthropic",
            401,
            r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
            K::Auth,
        ),
        (
            "anthropic",
            413,
            r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
            K::ContextExceeded,
        ),
        (
            "xai",
            400,
            r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa***ey."}"#,
            K::Auth,
        ),
        (
            "deepseek",
            402,
            r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
            K::Quota,
        ),
        (
            "openrouter",
            402,
            r#"{"error":{"message":"This request requires more credits, or fewer max_tokens.","code":402}}"#,
            K::Quota,
        ),
        (
            "openrouter",
            404,
            r#"{"error":{"message":"No endpoints found for x/y.","code":404}}"#,
            K::ModelGone,
        ),
        (
            "groq",
            400,
            r#"{"error":{"message":"The model `x` has been decommissioned","type":"invalid_request_error","code":"model_decommissioned"}}"#,
            K::ModelGone,
        ),
        ("groq", 498, r#"{"error":{"message":"capacity","code":"capacity_exceeded"}}"#, K::Overloaded),
        (
            "mistral",
            422,
            r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error","code":null}"#,
            K::BadRequest,
        ),
        ("mistral", 401, r#"{"detail":"Unauthorized"}"#, K::Auth),
        (
            "ollama",
            404,
            r#"{"error":{"message":"model \"x\" not found, try pulling it first","type":"api_error"}}"#,
            K::ModelGone,
        ),
        (
            "vllm",
            400,
            r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens","type":"BadRequestError","param":null,"code":400}"#,
            K::ContextExceeded,
        ),
        (
            "openai-compatible",
            400,
            r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
            K::ContextExceeded,
        ),
        ("openai", 400, "<html><body>400 Bad Request</body></html>", K::Malformed),
        ("openai", 502, "<html><body>502 Bad Gateway</body></html>", K::ServerError),
        ("openai", 500, "", K::ServerError),
        ("openai", 403, "", K::Auth),
        ("openai", 402, "", K::Quota),
        ("openai", 429, "slow", K::RateLimited),
        ("openai", 302, "", K::Malformed),
    ];
    for (vendor, status, body, kind) in cases {
        let failure = classify(vendor, *status, &[], body);
        assert_eq!(failure.kind, *kind, "{vendor} {status} {body}");
        assert_eq!(failure.status, Some(*status));
        assert!(!failure.detail.is_empty());
    }
}

#[test]
fn the_wait_is_the_latest_of_the_exhausted_dimensions() {
    let wait = |vendor, headers: &[(&str, &str)], body| classify(vendor, 429, headers, body).retry_after;
    let s = |seconds: f64| Some(Duration::from_secs_f64(seconds));
    let openai = [
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", "6m0s"),
    ];
    assert_eq!(wait("openai", &openai, ""), s(360.0));
    let one_left = [
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "120ms"),
        ("x-ratelimit-remaining-tokens", "7"),
        ("x-ratelimit-reset-tokens", "6m0s"),
    ];
    assert_eq!(wait("openai", &one_left, ""), s(0.12));
    assert_eq!(
        wait(
            "openai",
            &[
                ("retry-after", "20"),
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "1s")
            ],
            ""
        ),
        s(20.0)
    );
    assert_eq!(wait("azure", &[("retry-after-ms", "1500")], ""), s(1.5));
    assert_eq!(wait("openai", &[("retry-after", "Sun, 22 Nov 2026 16:31:00 GMT")], ""), s(60.0));
    let anthropic = [
        ("retry-after", "3"),
        ("anthropic-ratelimit-input-tokens-remaining", "0"),
        ("anthropic-ratelimit-input-tokens-reset", "2026-11-22T16:30:45Z"),
        ("anthropic-ratelimit-requests-remaining", "12"),
        ("anthropic-ratelimit-requests-reset", "2026-11-22T18:00:00Z"),
    ];
    assert_eq!(wait("anthropic", &anthropic, ""), s(45.0));
    assert_eq!(
        wait("openrouter", &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795365090000")], ""),
        s(90.0)
    );
    assert_eq!(
        wait(
            "openai",
            &[],
            r#"{"error":{"message":"Rate limit reached. Please try again in 1.5s. Visit","code":"rate_limit_exceeded"}}"#
        ),
        s(1.5)
    );
    assert_eq!(wait("openai", &[], ""), None);
    for nonsense in ["-1", "NaN", "inf", "soon", "Sun, 99 Nov 2026 99:99:99 GMT", ""] {
        assert_eq!(wait("openai", &[("retry-after", nonsense)], ""), None, "{nonsense}");
    }
    // A request at fault is not better for waiting.
    assert_eq!(
        classify("openai", 400, &[("retry-after", "9")], r#"{"error":{"message":"bad"}}"#).retry_after,
        None
    );
}

#[test]
fn a_key_that_the_provider_echoes_is_not_in_the_detail() {
    for body in [
        r#"{"error":{"message":"Incorrect API key provided: sk-live-0123456789abcdef. See https://x.example"}}"#,
        r#"{"error":{"message":"Incorrect API key provided: sk-live-01234*******cdef."}}"#,
        "plain sk-live-0123456789abcdef text",
    ] {
        let detail = classify("openai", 401, &[], body).detail;
        assert!(!detail.contains("0123") && detail.contains("[redacted]"), "{detail}");
    }
    let long =
        classify("openai", 400, &[], &format!(r#"{{"error":{{"message":"{}"}}}}"#, "wörter ".repeat(300)));
    assert!(long.detail.len() < 520);
}

#[test]
fn an_unspoken_dialect_or_a_foreign_body_is_still_classified() {
    let failure = wire::classify(
        Dialect::Gemini,
        wire::plain(Dialect::OpenAi),
        429,
        &HeaderMap::new(),
        br#"[{"error":{"code":429,"message":"Resource has been exhausted","status":"RESOURCE_EXHAUSTED"}}]"#,
        now(),
        None,
    );
    assert_eq!(failure.kind, K::RateLimited);
}
