//! The gateway under test: its configuration with everything on, its start, and its key.
//!
//! What it must bear while it is measured: a key on every call, a team with a list of workflows, a policy of a
//! hundred workflows (some with conditions), the journal, the ledger and the metrics.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::processes::Process;

/// The workflows that the bench calls, and the targets that serve them.
const CALLED: [(&str, &str); 4] = [
    ("bench-answer", "up/answer"),
    ("bench-translated", "up-anthropic/answer"),
    ("bench-chunks", "up/chunks-200-2000"),
    ("bench-hold", "up/hold"),
];

/// A running gateway.
pub struct Gateway {
    /// Where applications call it.
    pub address: String,
    pub key: String,
    program: PathBuf,
    /// Taken when the gateway is dropped, so that it ends before its directory does.
    process: Option<Process>,
    directory: PathBuf,
}

impl Gateway {
    /// Starts `program` on `core` before the upstream at `upstream`, and makes a key.
    pub fn start(program: &Path, core: usize, upstream: &str) -> Outcome<Self> {
        let program = program
            .canonicalize()
            .map_err(|e| format!("{}: {e}; build it with --release", program.display()))?;
        let directory = std::env::temp_dir().join(format!("bench-gateway-{}", std::process::id()));
        std::fs::create_dir_all(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
        let (address, admin) = (free_address()?, free_address()?);
        let write = |name: &str, text: &str| {
            std::fs::write(directory.join(name), text).map_err(|e| format!("{}: {e}", directory.display()))
        };
        write("pointsman.yaml", &configuration(&address, &admin, upstream))?;
        write("upstream-key", "bench-upstream-key\n")?;
        let arguments = ["serve", "-c", "pointsman.yaml"].map(str::to_owned);
        let process = Process::start("the gateway", core, &program, &arguments, Some(&directory))?;
        let mut gateway = Self { program, address, key: String::new(), process: Some(process), directory };
        gateway.wait_until_it_answers()?;
        gateway.key = gateway.make_key()?;
        Ok(gateway)
    }

    /// The kernel's id of the gateway.
    pub fn id(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::id)
    }

    fn wait_until_it_answers(&mut self) -> Outcome {
        let began = Instant::now();
        loop {
            self.process.as_mut().map_or(Ok(()), Process::running)?;
            if healthy(&self.address) {
                return Ok(());
            }
            if began.elapsed() > Duration::from_secs(20) {
                return Err(format!("the gateway did not answer {}/healthz within 20 s", self.address));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn make_key(&self) -> Outcome<String> {
        let text = self.ask(&["keys", "create", "--team", "bench", "--json", "-c", "pointsman.yaml"])?;
        let made = serde_json::from_str::<serde_json::Value>(text.trim()).ok();
        let key = made.and_then(|made| Some(made["key"].as_str()?.to_owned()));
        key.ok_or_else(|| format!("`keys create` gave no key: {text}"))
    }

    /// How many requests the ledger remembers.
    pub fn ledger_rows(&self) -> Outcome<u64> {
        let text = self.ask(&["ledger", "export", "--format", "jsonl", "-c", "pointsman.yaml"])?;
        Ok(text.lines().filter(|line| line.starts_with('{')).count() as u64)
    }

    /// What the gateway's own program says beside the running one.
    fn ask(&self, arguments: &[&str]) -> Outcome<String> {
        let output = Command::new(&self.program)
            .args(arguments)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("{}: {e}", self.program.display()))?;
        if output.status.success() {
            String::from_utf8(output.stdout).map_err(|e| e.to_string())
        } else {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(format!("`pointsman {}` failed: {said}", arguments.join(" ")))
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.process.take());
        // What stays behind is a temporary directory.
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

fn healthy(address: &str) -> bool {
    let answer = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(stream, "GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        let mut text = [0; 64];
        let read = stream.read(&mut text)?;
        Ok(String::from_utf8_lossy(&text[..read]).into_owned())
    };
    answer().is_ok_and(|text| text.contains(" 200 "))
}

fn free_address() -> Outcome<String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    Ok(listener.local_addr().map_err(|e| e.to_string())?.to_string())
}

/// A hundred workflows: those that are called, and others as a real file has them, every tenth with a
/// condition that each request is held against.
fn configuration(address: &str, admin: &str, upstream: &str) -> String {
    let mut text = format!(
        "server:\n  listen: {address}\n  admin: {admin}\nstore:\n  data_dir: ./data\n  database: sqlite\n\
         \nproviders:\n  up:\n    dialect: openai\n    base_url: http://{upstream}/v1\n    \
         api_key: {{file: upstream-key}}\n    region: onprem\n  up-anthropic:\n    dialect: anthropic\n    \
         base_url: http://{upstream}\n    api_key: {{file: upstream-key}}\n    region: onprem\n\nmodels:\n"
    );
    for (_, target) in CALLED {
        let _ = writeln!(
            text,
            "  {target}: {{context: 200000, price: {{input: 1.5, output: 6}}, can: [tools, json_schema]}}"
        );
    }
    text.push_str("\nworkflows:\n");
    for (name, target) in CALLED {
        let _ = writeln!(text, "  {name}:\n    criticality: high\n    route: [{target}]");
    }
    for index in CALLED.len()..100 {
        let _ = writeln!(
            text,
            "  desk-{index}:\n    description: Work of desk {index}\n    criticality: normal\n    \
             latency: {{first_token: 3s, total: 30s}}\n    max_cost: 0.05\n    \
             route: [up/answer, [up-anthropic/answer]]\n    prefer: balanced"
        );
        if index % 10 == 0 {
            let _ = writeln!(
                text,
                "    match: 'request.headers[\"x-desk\"] == \"{index}\" && request.estimated_tokens < 4000'"
            );
        }
    }
    let names: Vec<&str> = CALLED.iter().map(|(name, _)| *name).collect();
    let _ = writeln!(text, "\nteams:\n  bench:\n    workflows: [{}]", names.join(", "));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_has_a_hundred_workflows_and_the_team_may_call_those_of_the_bench() {
        let text = configuration("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3");
        let criticalities = text.lines().filter(|line| line.starts_with("    criticality:")).count();
        assert_eq!(criticalities, 100);
        assert!(text.contains("workflows: [bench-answer, bench-translated, bench-chunks, bench-hold]"));
        assert!(text.contains("base_url: http://127.0.0.1:3/v1"));
    }
}
