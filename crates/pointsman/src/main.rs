//! Pointsman: a policy-driven model gateway. This crate assembles the world; every decision lives in a room of its own.
//!
//! `cli` is what people type, `edge` the two ports, `path` the way of a request, `upstream` the calls to providers,
//! `running` the policy in force. Decisions are in the `policy` crate, bytes in `wire`, memory in `store`.

mod cli;
mod edge;
mod gateway;
mod path;
mod running;
mod telemetry;
mod upstream;

// A request makes a few dozen small allocations; this allocator spends about half the time of the system's on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
