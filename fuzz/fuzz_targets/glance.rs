//! One pass over any bytes; what it accepts a JSON library accepts, and the model it names is the library's.
#![no_main]
use libfuzzer_sys::fuzz_target;
use model::Operation;

fuzz_target!(|data: &[u8]| {
    for dialect in pointsman_fuzz::BOTH {
        if let Ok(glance) = wire::glance(dialect, Operation::Chat, data) {
            let raw: &serde_json::value::RawValue =
                serde_json::from_slice(data).expect("accepted, so it is JSON");
            // A library that keeps trees refuses numbers and surrogates that JSON's grammar allows.
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(raw.get()) {
                assert_eq!(value["model"].as_str(), Some(glance.model.as_ref()));
                assert_eq!(value["stream"].as_bool().unwrap_or(false), glance.stream);
            }
        }
    }
});
