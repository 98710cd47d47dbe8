//! The simulator over a raw TCP connection: what stands on the wire, byte for byte, and how connections end.

mod anthropic;
mod client;
mod faults;
mod life;
mod openai;
