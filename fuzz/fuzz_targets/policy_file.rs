//! Any bytes as `pointsman.yaml`: they become a policy or findings that can be shown, never a panic. A policy that
//! loads is then planned over and explained, and both must tell the same steps.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::{
    Capabilities, CatalogModel, Dialect, ModelFacts, Now, Operation, ProviderPreset, Request, Tick, Timestamp,
};
use policy::file::{Known, load};
use policy::{Health, Target, World, explain, plan};

const PRESETS: &[ProviderPreset] = &[ProviderPreset {
    name: "openai",
    title: "OpenAI",
    dialects: &[Dialect::OpenAi],
    base_url: Some("https://api.openai.com/v1"),
    key_env: &["OPENAI_API_KEY"],
    self_hosted: false,
}];

struct Well;

impl World for Well {
    fn health(&self, _: &Target) -> Health {
        Health::default()
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let models = [CatalogModel {
        provider: "openai".to_owned(),
        model: "gpt-4.1".to_owned(),
        aliases: Vec::new(),
        facts: ModelFacts::default(),
        as_of: None,
    }];
    let now = Now { wall: Timestamp(1_795_000_000_000_000), tick: Tick(1_000_000) };
    let known = Known {
        presets: PRESETS,
        models: &models,
        env: &|_| false,
        read: &|_| Ok("{}".to_owned()),
        now: now.wall,
    };
    let loaded = load(text, &known);
    assert!(loaded.policy.is_some() || !loaded.findings.is_empty(), "refused without a word");
    for finding in &loaded.findings {
        assert!(finding.line >= 1 && finding.column >= 1 && finding.hint.is_some());
        let _ = finding.to_string();
    }
    let Some(policy) = loaded.policy else { return };
    let names = policy.workflows.iter().map(|w| w.name.clone()).chain(["gpt-4.1".into()]);
    for name in names.take(8) {
        let request = Request {
            dialect: Dialect::OpenAi,
            operation: Operation::Chat,
            model: &name,
            workflow: None,
            data_class: None,
            stream: true,
            needs: Capabilities::NONE,
            estimated_tokens: 1000,
            max_output: None,
            deadline: None,
            session: None,
            headers: &[("x-app", "helpdesk")],
            caller: None,
        };
        let told = explain(&policy, &request, &Well, now, 1);
        let _ = told.to_string();
        if let Ok(plan) = plan(&policy, &request, &Well, now, 1) {
            let planned: Vec<_> = plan.steps().iter().map(|s| s.target().name.clone()).collect();
            let told: Vec<_> = told.steps.iter().map(|s| s.target.clone()).collect();
            assert_eq!(planned, told);
        }
    }
});
