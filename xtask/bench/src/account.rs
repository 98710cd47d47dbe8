//! What the kernel says that a process used: processor time and memory.
//!
//! Linux only, from `/proc`. Threads are summed from the scheduler's own nanosecond counters; where the kernel
//! does not keep them, or a thread ended in between, the process's ticks of ten milliseconds serve.

use std::fs;
use std::time::Duration;

use crate::Outcome;

/// Processor time of a process at one instant.
#[derive(Debug, Clone)]
pub struct Cpu {
    /// Thread to nanoseconds on a processor.
    threads: Vec<(u64, u64)>,
    /// User and system time of the whole process, ended threads included.
    ticks: Duration,
}

impl Cpu {
    /// Reads the counters of a process.
    pub fn of(pid: u32) -> Outcome<Self> {
        let tasks =
            fs::read_dir(format!("/proc/{pid}/task")).map_err(|e| format!("process {pid} is gone: {e}"))?;
        let mut threads = Vec::new();
        for task in tasks.flatten() {
            let Some(id) = task.file_name().to_str().and_then(|id| id.parse().ok()) else { continue };
            let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            if let Some(nanos) = text.split(' ').next().and_then(|nanos| nanos.parse().ok()) {
                threads.push((id, nanos));
            }
        }
        let stat =
            fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|e| format!("process {pid}: {e}"))?;
        Ok(Self {
            threads,
            ticks: ticks(&stat).ok_or("the kernel's stat line reads otherwise than expected")?,
        })
    }

    /// Time used since an earlier reading of the same process.
    pub fn since(&self, earlier: &Self) -> Duration {
        let before = |id: u64| earlier.threads.iter().find(|(other, _)| *other == id).map_or(0, |(_, n)| *n);
        let gone = earlier.threads.iter().any(|(id, _)| !self.threads.iter().any(|(other, _)| other == id));
        if gone || self.threads.is_empty() {
            return self.ticks.saturating_sub(earlier.ticks);
        }
        Duration::from_nanos(self.threads.iter().map(|(id, nanos)| nanos.saturating_sub(before(*id))).sum())
    }
}

/// `utime` and `stime`, the 14th and 15th fields, in ticks of ten milliseconds. The second field is a name
/// that may hold spaces, so the count starts behind its closing bracket.
fn ticks(stat: &str) -> Option<Duration> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let sum: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(sum * 10))
}

/// Resident memory of a process, in bytes.
pub fn resident(pid: u32) -> Outcome<u64> {
    let status =
        fs::read_to_string(format!("/proc/{pid}/status")).map_err(|e| format!("process {pid}: {e}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| format!("the kernel does not say how much memory {pid} has"))
}

/// The machine's load over the last minute, if it is enough to disturb a measurement.
pub fn others_at_work() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next()?.parse().ok().filter(|load| *load > 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_read_behind_a_name_with_spaces_and_brackets() {
        let stat = "12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0";
        assert_eq!(ticks(stat), Some(Duration::from_millis(3000)));
    }

    #[test]
    fn a_new_thread_counts_in_full_and_an_ended_one_falls_back_to_ticks() {
        let at = |threads: &[(u64, u64)], millis| Cpu {
            threads: threads.to_vec(),
            ticks: Duration::from_millis(millis),
        };
        let start = at(&[(1, 100)], 0);
        assert_eq!(at(&[(1, 150), (2, 30)], 10).since(&start), Duration::from_nanos(80));
        assert_eq!(at(&[(2, 30)], 10).since(&start), Duration::from_millis(10));
    }

    #[test]
    fn this_very_process_has_used_something() {
        assert!(resident(std::process::id()).unwrap() > 100_000);
        assert!(Cpu::of(std::process::id()).is_ok());
    }
}
