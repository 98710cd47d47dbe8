//! A whole answer of OpenAI's as any bytes: read and written in both dialects without a panic.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| pointsman_fuzz::answer(model::Dialect::OpenAi, data));
