//! What the outside may watch: metrics in Prometheus form and logs as lines. No content, no credentials.

mod clock;
mod log;
mod metrics;

pub use clock::Clock;
pub use log::start as start_log;
pub use metrics::{Metrics, TargetMeter, WorkflowMeter};
