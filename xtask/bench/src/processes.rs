//! Starts the processes of the bench, each on its core, and ends them whatever happens.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::Outcome;

/// A process that is killed when it is dropped.
pub struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
    name: &'static str,
}

/// Which cores the measured process and everything else run on.
#[derive(Debug, Clone, Copy)]
pub struct Cores {
    pub measured: usize,
    pub others: usize,
}

impl Cores {
    /// The last core for the measured process, since the first takes most of the machine's interrupts.
    pub fn choose() -> Outcome<Self> {
        let cores = std::thread::available_parallelism().map_err(|e| e.to_string())?.get();
        if cores < 2 {
            return Err("the bench needs two cores: one for the proxy alone, one for everything else".into());
        }
        Ok(Self { measured: cores - 1, others: 0 })
    }
}

impl Process {
    /// Starts `program` on one core with room for many connections. Its output is read line by line; what it
    /// says on its error output is the terminal's.
    pub fn start(
        name: &'static str,
        core: usize,
        program: &Path,
        arguments: &[String],
        directory: Option<&Path>,
    ) -> Outcome<Self> {
        let mut command = Command::new("taskset");
        // The shell raises its own limit of open files and then becomes the program, so the id stays one.
        command.args(["-c", &core.to_string(), "sh", "-c", "ulimit -n $(ulimit -Hn); exec \"$0\" \"$@\""]);
        command.arg(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(directory) = directory {
            command.current_dir(directory);
        }
        let mut child =
            command.spawn().map_err(|e| format!("{name} could not be started with taskset: {e}"))?;
        let output = child.stdout.take().ok_or_else(|| format!("{name} has no output"))?;
        Ok(Self { child, output: BufReader::new(output), name })
    }

    /// This very program in another role.
    pub fn role(name: &'static str, core: usize, arguments: &[&str]) -> Outcome<Self> {
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self::start(name, core, &program, &arguments, None)
    }

    /// The kernel's id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that the process prints.
    pub fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|e| format!("{}: {e}", self.name))?;
        if line.is_empty() {
            return Err(format!("{} ended without saying what was expected of it", self.name));
        }
        Ok(line.trim().to_owned())
    }

    /// Whether it is still there; its exit, if not.
    pub fn running(&mut self) -> Outcome {
        match self.child.try_wait().map_err(|e| e.to_string())? {
            None => Ok(()),
            Some(status) => Err(format!("{} ended: {status}", self.name)),
        }
    }

    /// Closes its input and waits for its end.
    pub fn finish(mut self) -> Outcome {
        drop(self.child.stdin.take());
        self.child.wait().map_err(|e| e.to_string())?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if the process is gone already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
