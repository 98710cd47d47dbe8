//! What `check` says of broken files: every problem at once, with its place, its line and a hint.
#![allow(clippy::unwrap_used)]

mod support;

use policy::file::{Severity, load};
use support::{load_text, load_with};

fn told(text: &str) -> String {
    let loaded = load_text(text);
    let errors = loaded.findings.iter().any(|f| f.severity == Severity::Error);
    assert!(loaded.findings.iter().all(|f| f.hint.is_some()), "every finding says what to do");
    assert_eq!(loaded.policy.is_none(), errors, "a policy exists exactly when nothing is an error");
    loaded.findings.iter().map(|f| f.to_string()).collect::<Vec<_>>().join("\n\n")
}

/// Each case is a name and a file; its findings are a snapshot of that name.
const CASES: &[(&str, &str)] = &[
    (
        "unknown_keys",
        "sever:\n  listen: 127.0.0.1:1\nproviders:\n  openai: {reigon: us, terms: {retension: none}}\nworkflows:\n  a: {rout: [openai/gpt-4.1]}\n",
    ),
    ("duplicate_keys", "providers:\n  openai: {}\n  openai: {region: us}\nproviders: {}\n"),
    ("not_yaml", "providers:\n  openai: {region: us\nworkflows: {}\n"),
    (
        "wrong_kinds",
        "server: [1, 2]\nproviders: openai\nworkflows:\n  a: {route: {x: y}, latency: 3s, needs: {tools: yes}}\n",
    ),
    (
        "values",
        "server: {listen: localhost, max_body: 3 apples}\nproviders:\n  openai: {terms: {retention: 30 days, training: nevr, baa: 2027-02-30}, region: 'e u'}\nmodels:\n  openai/gpt-4.1: {price: {input: 1e3}, context: -1}\nworkflows:\n  a:\n    route: [openai/gpt-4.1]\n    latency: {first_token: 3sec, total: 0s}\n    max_cost: 0.0000000001\n    prefer: fastets\n    criticality: urgent\n    needs: [json_shema]\n    certify: {margin: 5}\n    on: {outtage: next, timeout: retyr}\n",
    ),
    (
        "providers",
        "providers:\n  opnai: {}\n  azure: {}\n  eu: {preset: azur}\n  bad url: {}\n  x: {dialect: openai, base_url: api.x.com}\n  y: {dialect: openi, base_url: 'https://u:p@y.com/v1'}\n  z: {dialect: openai, base_url: http://z.example/v1, api_key: {env: Z_KEY}}\n  w: {preset: openai, api_key: {environment: X}}\n  v: {preset: openai, access_key_id: {env: A}}\n",
    ),
    (
        "literal_keys_are_hidden",
        "providers:\n  openai: {api_key: sk-live-0123456789}\n  anthropic:\n    api_key: 'sk-ant-secret'   # and a comment\n    regionn: us\n",
    ),
    (
        "routes",
        "providers: {openai: {}}\nworkflows:\n  a:\n    route:\n      - gpt-4.1\n      - opena/gpt-4.1\n      - nobody/x\n      - [openai/gpt-4.1, {downgrade: openai/gpt-4.1-mini, gives_up: [reasoning]}]\n      - {target: openai/gpt-4.1, wieght: 3}\n      - {weight: 3}\n      - {target: openai/gpt-4.1-mini, weight: 0}\n      - []\n      - openai/\n  b: {route: []}\n  c: {description: no route}\n",
    ),
    (
        "rules",
        "providers: {openai: {}}\nworkflows:\n  a:\n    match: request.modle == 'x'\n    route: [openai/gpt-4.1]\n  b:\n    match: 'request.headers[\"x-app\"] == \"helpdesk\" && user == \"x\"'\n    route: [openai/gpt-4.1]\n  c: {match: request.estimated_tokens, route: [openai/gpt-4.1]}\n  d: {match: 'request.model ==', route: [openai/gpt-4.1]}\n  e: {match: 'request.estimated_tokens < \"4000\"', route: [openai/gpt-4.1]}\n",
    ),
    (
        "teams",
        "providers: {openai: {}}\nworkflows: {refunds: {route: [openai/gpt-4.1]}, lonely: {route: [openai/gpt-4.1]}}\nteams:\n  support: {workflows: [refund, billing], targets: ['opnai/*', 'openai/*'], budget: [{usd: 5, per: month}, {usd: x, per: fortnight}]}\n  idle: {}\n",
    ),
    (
        "files",
        "providers: {openai: {}}\nworkflows:\n  a: {route: [openai/gpt-4.1], response_schema: schemas/none.json, golden: minimal.yaml}\n",
    ),
    (
        "never_satisfied",
        "providers:\n  openai: {region: us, terms: {retention: 30d, training: never}}\n  anthropic: {region: eu, terms: {retention: none, training: never, baa: 2020-01-01}}\n  local: {dialect: openai, base_url: http://127.0.0.1:9000/v1, region: onprem, terms: {retention: none, training: never, baa: always}}\ndata_classes:\n  phi: {regions: [us, onprem], require: {retention: none, training: never, baa: true}}\nworkflows:\n  a:\n    data_class: phi\n    needs: [tools]\n    max_cost: 0.01\n    route: [openai/gpt-4.1, anthropic/claude-sonnet-4-5, local/gemma]\n  b: {data_class: phy, route: [openai/gpt-4.1]}\n  c: {route: [openai/gpt-4.11]}\n",
    ),
    (
        "doubtful",
        "providers: {openai: {}}\nworkflows:\n  first: {match: 'true', route: [openai/gpt-4.1, openai/gpt-4.1], criticality: critical}\n  second: {match: request.stream, route: [{target: openai/gpt-4.1, weight: 2}], criticality: critical}\n  gpt-4.1: {route: [openai/gpt-4.1-mini], prefer: learned, on: {timeout: retry_then_next, quota: larger_context, outage: repair_then_next}, stream: {hold: whole}}\nstore: {database: 'postgres://u@h/db', shared: 'redis://h:6379'}\n",
    ),
    ("aliases_and_documents", "providers:\n  openai: &o {region: us}\n  anthropic: *o\n---\nworkflows: {}\n"),
];

#[test]
fn broken_files_are_explained() {
    for (name, text) in CASES {
        insta::assert_snapshot!(*name, told(text));
    }
}

#[test]
fn a_literal_key_is_never_shown() {
    let text = CASES.iter().find(|(name, _)| *name == "literal_keys_are_hidden").unwrap().1;
    let loaded = load_text(text);
    let json = serde_json::to_string(&loaded.findings).unwrap();
    let debug = format!("{loaded:?}");
    for secret in ["sk-live", "0123456789", "sk-ant"] {
        assert!(!told(text).contains(secret) && !json.contains(secret) && !debug.contains(secret));
    }
}

#[test]
fn keys_that_are_not_set_are_a_warning_and_the_one_that_is_set_is_used() {
    let text = "providers: {openai: {}, mine: {preset: openai, api_key: {env: MINE}}}";
    let loaded = load_with(text, &|_| false);
    let told: Vec<&str> = loaded.findings.iter().map(|f| f.what.as_str()).collect();
    assert_eq!(
        told,
        ["no key for `openai`: OPENAI_API_KEY is not set", "the environment variable MINE is not set"]
    );
    assert!(loaded.findings.iter().all(|f| f.severity == Severity::Warning) && loaded.policy.is_some());
}

#[test]
fn an_empty_file_is_a_policy_without_anything_and_a_warning_that_nothing_can_be_served() {
    for text in ["", "# nothing\n", "{}", "~", "\u{feff}"] {
        let loaded = load_text(text);
        let told: Vec<_> = loaded.findings.iter().map(|f| (f.severity, f.what.as_str())).collect();
        assert_eq!(told, [(Severity::Warning, "there is no provider, so nothing can be served")], "{text:?}");
        assert!(loaded.policy.is_some_and(|p| p.targets().is_empty() && p.workflows.is_empty()));
    }
}

#[test]
fn hostile_text_is_refused_and_never_blows_up() {
    let bomb = format!(
        "a: &a [x,x,x,x,x,x,x,x]\n{}",
        (b'b'..=b'm').map(|c| {
            let (name, before) = (c as char, (c - 1) as char);
            format!("{name}: &{name} [*{before},*{before},*{before},*{before},*{before},*{before},*{before},*{before}]\n")
        }).collect::<String>()
    );
    let deep = "[".repeat(5000);
    let nested = (0..200).map(|i| format!("{}a:\n", " ".repeat(i))).collect::<String>();
    let cases = [
        bomb.as_str(),
        deep.as_str(),
        nested.as_str(),
        "a: *b",
        "? [x]\n: y",
        "\u{0}",
        "%TAG ! x\n---\na: !!binary x",
        "a: \"\\xZZ\"",
        "&a *a",
    ];
    let rules = [
        "(".repeat(3000),
        format!("{}true{}", "(".repeat(1500), ")".repeat(1500)),
        "!".repeat(3000),
        "[".repeat(1000),
        "request.model ? ".repeat(200),
        "x".repeat(100_000),
    ];
    let rules: Vec<String> = rules
        .iter()
        .map(|rule| {
            format!(
                "providers: {{openai: {{}}}}\nworkflows: {{a: {{route: [openai/gpt-4.1], match: '{rule}'}}}}"
            )
        })
        .collect();
    for text in cases.into_iter().chain(rules.iter().map(String::as_str)) {
        let loaded = load_text(text);
        assert!(loaded.policy.is_none(), "{}", &text[..text.len().min(40)]);
        for finding in &loaded.findings {
            let _ = finding.to_string();
        }
    }
}

#[test]
fn the_schema_describes_every_key_of_the_example() {
    let schema = policy::file::schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let workflow = &schema["properties"]["workflows"]["additionalProperties"]["properties"];
    let keys = [
        "description",
        "criticality",
        "data_class",
        "needs",
        "response_schema",
        "latency",
        "max_cost",
        "route",
        "prefer",
        "on",
        "stream",
        "golden",
        "certify",
        "match",
        "cache",
    ];
    for key in keys {
        assert!(workflow[key]["description"].is_string() || key == "route", "{key}: {}", workflow[key]);
    }
    assert_eq!(workflow["on"]["properties"]["outage"]["enum"][0], "next");
}

#[test]
fn the_digest_follows_the_meaning_and_not_the_writing() {
    let digest = |text: &str| load_text(text).policy.unwrap().digest;
    let one =
        digest("providers: {openai: {}}\nworkflows: {a: {route: [openai/gpt-4.1], latency: {total: 60s}}}\n");
    let same = digest(
        "# hello\nworkflows:\n  a:\n    latency:\n      total: 1m\n    route:\n    - openai/gpt-4.1\nproviders:\n  openai:\n",
    );
    let other =
        digest("providers: {openai: {}}\nworkflows: {a: {route: [openai/gpt-4.1], latency: {total: 61s}}}\n");
    assert_eq!(one, same);
    assert_ne!(one, other);
    assert_eq!(one.len(), 32);
}

#[test]
fn starters_pass_their_own_check() {
    for count in 0..=support::PRESETS.len() {
        let found: Vec<&model::ProviderPreset> = support::PRESETS[..count].iter().collect();
        let text = policy::file::starter(&found);
        let loaded = load_text(&text);
        let told: Vec<String> =
            loaded.findings.iter().filter(|f| f.severity != Severity::Note).map(|f| f.to_string()).collect();
        let expected = usize::from(count == 0);
        assert!(told.len() == expected && loaded.policy.is_some(), "{text}\n{}", told.join("\n"));
        assert!(told.iter().all(|t| t.contains("there is no provider")), "{}", told.join("\n"));
    }
}

#[test]
fn without_a_file_every_key_may_call_the_providers_that_were_found() {
    let models = support::catalog();
    let known = policy::file::Known {
        presets: support::PRESETS,
        models: &models,
        env: &|_| true,
        read: &|_| Err("no files here".to_owned()),
        now: support::WALL,
    };
    let found: Vec<&model::ProviderPreset> = support::PRESETS.iter().collect();
    let policy = policy::file::from_keys(&found, &known);
    assert!(policy.workflows.is_empty() && policy.teams.is_none());
    assert_eq!(
        policy.providers.iter().map(|p| &*p.name).collect::<Vec<_>>(),
        ["openai", "anthropic", "mistral", "together", "ollama"]
    );
    assert!(load("providers: {openai: {}}", &known).policy.is_some());
}
