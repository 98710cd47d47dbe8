//! Any bytes, cut anywhere, as OpenAI's stream: no panic, and no end without a terminator.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| pointsman_fuzz::stream(model::Dialect::OpenAi, data));
