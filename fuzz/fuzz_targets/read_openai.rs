//! Any bytes as a Chat Completions request: what is read can be written for every provider, or is refused by name.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| pointsman_fuzz::read(model::Dialect::OpenAi, data));
