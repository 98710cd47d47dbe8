//! The caller: asks as fast as it is answered (closed loop), at a fixed rate, or opens streams and holds them.
//!
//! One thread, hand-written HTTP/1.1 over kept connections, so that it shares a core with the upstream without
//! being the slowest part. Prints one JSON object, [`Told`], and ends.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::response::Reader;
use crate::{Options, Outcome, request};

/// What one run of the load found, and what [`crate::run`] reads.
#[derive(Debug, Default, Clone)]
pub struct Told {
    /// Answers that were complete, with status 200 and at least one mark.
    pub requests: u64,
    pub errors: u64,
    pub first_error: Option<String>,
    pub seconds: f64,
    /// Marks in all answers: streamed chunks, or one for each whole answer.
    pub marks: u64,
    /// Microseconds from the request's first byte sent to the answer's last byte.
    pub whole: Spread,
    /// Microseconds from the request's first byte sent to the answer's first mark.
    pub first: Spread,
}

/// The middle and the tail of some times, in microseconds.
#[derive(Debug, Default, Clone, Copy)]
pub struct Spread {
    pub p50: f64,
    pub p99: f64,
}

impl Spread {
    fn of(times: &mut [Duration]) -> Self {
        times.sort_unstable();
        let at = |share: f64| {
            let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
            times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e6)
        };
        Self { p50: at(0.5), p99: at(0.99) }
    }

    fn read(value: &Value) -> Self {
        let number = |name: &str| value[name].as_f64().unwrap_or_default();
        Self { p50: number("p50"), p99: number("p99") }
    }
}

impl Told {
    fn write(&self) -> Value {
        let spread = |spread: Spread| json!({"p50": spread.p50, "p99": spread.p99});
        json!({
            "requests": self.requests, "errors": self.errors, "first_error": self.first_error,
            "seconds": self.seconds, "marks": self.marks,
            "whole": spread(self.whole), "first": spread(self.first),
        })
    }

    /// Reads what a load process printed. Any error that it met is an error here: a bench of failures is none.
    pub fn read(text: &str) -> Outcome<Self> {
        let value: Value =
            serde_json::from_str(text.trim()).map_err(|e| format!("the load said `{text}`: {e}"))?;
        let count = |name: &str| value[name].as_u64().unwrap_or_default();
        let told = Self {
            requests: count("requests"),
            errors: count("errors"),
            first_error: value["first_error"].as_str().map(str::to_owned),
            seconds: value["seconds"].as_f64().unwrap_or_default(),
            marks: count("marks"),
            whole: Spread::read(&value["whole"]),
            first: Spread::read(&value["first"]),
        };
        match &told.first_error {
            None if told.requests > 0 => Ok(told),
            None => Err("the load got no answer at all".into()),
            Some(error) => Err(format!(
                "{} of {} requests failed; the first: {error}",
                told.errors,
                told.requests + told.errors
            )),
        }
    }
}

#[derive(Default)]
struct Sums {
    requests: u64,
    errors: u64,
    first_error: Option<String>,
    marks: u64,
    whole: Vec<Duration>,
    first: Vec<Duration>,
    /// Closed loop: requests that are still to be begun.
    left: u64,
}

/// What each connection sends and how long it may wait.
struct Script {
    address: String,
    bytes: Vec<u8>,
    patience: Duration,
}

/// Runs the load that the options describe and prints what it found.
pub fn load(options: &Options) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| e.to_string())?;
    let address = options.text("address")?.to_owned();
    let body = request::chat(options.text("model")?, options.number("size", 1_000)?, options.has("stream"));
    let key = options.has("key").then(|| options.text("key")).transpose()?;
    let bytes = request::wire(&address, key, &body);
    let script = Rc::new(Script { address, bytes, patience: Duration::from_secs(20) });
    let connections: usize = options.number("connections", 8)?;
    if options.has("hold") {
        return runtime.block_on(hold(&script, connections));
    }
    let sums = Rc::new(RefCell::new(Sums { left: options.number("count", 1_000)?, ..Sums::default() }));
    let rate: f64 = options.number("rate", 0.0)?;
    let seconds: f64 = options.number("seconds", 3.0)?;
    let began = Instant::now();
    let local = LocalSet::new();
    for index in 0..connections {
        let (script, sums) = (script.clone(), sums.clone());
        local.spawn_local(async move {
            let ended = if rate > 0.0 {
                let period = Duration::from_secs_f64(connections as f64 / rate);
                let offset = period.mul_f64(index as f64 / connections as f64);
                at_rate(&script, &sums, offset, period, Duration::from_secs_f64(seconds)).await
            } else {
                closed_loop(&script, &sums).await
            };
            if let Err(error) = ended {
                let mut sums = sums.borrow_mut();
                sums.errors += 1;
                sums.first_error.get_or_insert(error);
            }
        });
    }
    runtime.block_on(local);
    let mut sums = sums.borrow_mut();
    let told = Told {
        requests: sums.requests,
        errors: sums.errors,
        first_error: sums.first_error.take(),
        seconds: began.elapsed().as_secs_f64(),
        marks: sums.marks,
        whole: Spread::of(&mut sums.whole),
        first: Spread::of(&mut sums.first),
    };
    println!("{}", told.write());
    Ok(())
}

async fn closed_loop(script: &Script, sums: &RefCell<Sums>) -> Outcome {
    let mut connection = Connection::open(script).await?;
    loop {
        {
            let mut sums = sums.borrow_mut();
            if sums.left == 0 {
                return Ok(());
            }
            sums.left -= 1;
        }
        connection.ask(script, sums).await?;
    }
}

async fn at_rate(
    script: &Script,
    sums: &RefCell<Sums>,
    offset: Duration,
    period: Duration,
    whole: Duration,
) -> Outcome {
    let mut connection = Connection::open(script).await?;
    // The first request of a connection pays for opening it on both sides; it is not what is asked here.
    connection.ask(script, &RefCell::default()).await?;
    let began = Instant::now() + offset;
    let mut next = began;
    while next < began + whole {
        tokio::time::sleep_until(next.into()).await;
        connection.ask(script, sums).await?;
        next = (next + period).max(Instant::now());
    }
    Ok(())
}

struct Connection {
    stream: TcpStream,
    reader: Reader,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(script: &Script) -> Outcome<Self> {
        let stream =
            TcpStream::connect(&script.address).await.map_err(|e| format!("{}: {e}", script.address))?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        Ok(Self { stream, reader: Reader::new(), buffer: vec![0; 64 * 1024] })
    }

    async fn ask(&mut self, script: &Script, sums: &RefCell<Sums>) -> Outcome {
        let began = Instant::now();
        self.reader.again();
        self.stream.write_all(&script.bytes).await.map_err(|e| format!("sending: {e}"))?;
        let (mut marks, mut first) = (0, None);
        loop {
            let read = tokio::time::timeout(script.patience, self.stream.read(&mut self.buffer)).await;
            let read = read.map_err(|_| format!("no answer within {:?}", script.patience))?;
            let read = read.map_err(|e| format!("reading: {e}"))?;
            if read == 0 {
                return Err(format!("the connection was closed in the middle of an answer ({marks} marks)"));
            }
            let seen = self.reader.feed(&self.buffer[..read])?;
            marks += seen.marks;
            if marks > 0 && first.is_none() {
                first = Some(began.elapsed());
            }
            if self.reader.status != 200 && self.reader.status != 0 {
                let said = String::from_utf8_lossy(&self.buffer[..read.min(600)]).into_owned();
                return Err(format!("status {}: {said}", self.reader.status));
            }
            if seen.done {
                break;
            }
        }
        let first = first.ok_or("a complete answer without the upstream's text in it")?;
        let mut sums = sums.borrow_mut();
        sums.requests += 1;
        sums.marks += marks;
        sums.whole.push(began.elapsed());
        sums.first.push(first);
        Ok(())
    }
}

/// Opens streams, waits for the first content of each, says so, and holds them until its input is closed.
async fn hold(script: &Script, connections: usize) -> Outcome {
    let mut held = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut connection = Connection::open(script).await?;
        // Sixty-four kilobytes for each held stream would be the load's own memory, for nothing.
        connection.buffer = vec![0; 2048];
        connection.stream.write_all(&script.bytes).await.map_err(|e| format!("sending: {e}"))?;
        held.push(connection);
    }
    for connection in &mut held {
        let mut marks = 0;
        while marks == 0 {
            let read =
                tokio::time::timeout(script.patience, connection.stream.read(&mut connection.buffer)).await;
            let read = read.map_err(|_| "a stream gave no content".to_owned())?.map_err(|e| e.to_string())?;
            if read == 0 {
                return Err("a stream was closed before its first content".into());
            }
            marks += connection.reader.feed(&connection.buffer[..read])?.marks;
            if connection.reader.status != 200 && connection.reader.status != 0 {
                let said = String::from_utf8_lossy(&connection.buffer[..read.min(600)]).into_owned();
                return Err(format!("status {}: {said}", connection.reader.status));
            }
        }
    }
    println!("{}", json!({"held": held.len()}));
    let mut input = Vec::new();
    // Nothing else happens in this process now, so its one thread may wait here.
    std::io::Read::read_to_end(&mut std::io::stdin(), &mut input).map_err(|e| e.to_string())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_load_says_is_what_the_run_reads() {
        let told = Told { requests: 3, seconds: 1.5, marks: 9, ..Told::default() };
        let read = Told::read(&told.write().to_string()).unwrap();
        assert_eq!((read.requests, read.marks), (3, 9));
        let failed = Told { errors: 2, first_error: Some("status 429".into()), ..told };
        assert!(Told::read(&failed.write().to_string()).unwrap_err().contains("2 of 5 requests failed"));
    }

    #[test]
    fn the_middle_and_the_tail_are_of_the_sorted_times() {
        let mut times: Vec<Duration> = (1..=100).rev().map(Duration::from_micros).collect();
        let spread = Spread::of(&mut times);
        assert_eq!((spread.p50.round(), spread.p99.round()), (51.0, 100.0));
        assert_eq!(Spread::of(&mut []).p50, 0.0);
    }
}
