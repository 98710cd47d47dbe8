//! Every file in `examples/` is what its comments say.
#![allow(clippy::unwrap_used)]

mod support;

use policy::file::Severity;
use support::load_text;

const EXAMPLES: [&str; 4] = ["pointsman.yaml", "minimal.yaml", "local-fallback.yaml", "phi.yaml"];

fn example(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn every_example_loads_without_an_error() {
    for name in EXAMPLES {
        let loaded = load_text(&example(name));
        let errors: Vec<String> = loaded
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Error)
            .map(|f| f.in_file(name).to_string())
            .collect();
        assert!(errors.is_empty(), "{}", errors.join("\n\n"));
        assert!(loaded.policy.is_some(), "{name}");
    }
}

#[test]
fn the_examples_say_exactly_what_is_not_enforced_and_what_is_doubtful() {
    for name in EXAMPLES {
        let told: Vec<String> =
            load_text(&example(name)).findings.iter().map(|f| f.in_file(name).to_string()).collect();
        insta::assert_snapshot!(name, told.join("\n\n"));
    }
}
