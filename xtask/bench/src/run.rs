//! The order of a bench: start everything, warm it, then measure in rounds, the floor and the gateway in turn.
//!
//! A round takes every figure of the floor and then the same figure of the gateway, so that what the machine
//! does in that moment falls on both; the ratio is taken within the round, and the median of the ratios is told.
//! Processor time is read after the proxy has come to rest, so that work put off (a ledger fed in the
//! background) is counted too.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use crate::account::{self, Cpu};
use crate::gateway::Gateway;
use crate::load::Told;
use crate::processes::{Cores, Process};
use crate::report::{Figure, Figures, Report};
use crate::{Options, Outcome};

/// How long a proxy may go on with work that it put off, before its processor time is read.
const REST: Duration = Duration::from_millis(1_500);

/// Streamed chunks: per stream, and microseconds between them. Names the upstream's model too.
const CHUNKS: &str = "chunks-200-2000";
const CHUNKS_EACH: u64 = 200;

/// Who is asked: an address, perhaps a key, and the names under which it knows the upstream's models.
struct Asked<'a> {
    address: &'a str,
    key: Option<&'a str>,
    /// Process whose processor time counts; none for the upstream itself.
    id: Option<u32>,
    is_gateway: bool,
    /// Requests that it has answered so far.
    answered: Cell<u64>,
}

/// How large each measurement is.
struct Sizes {
    rounds: usize,
    small: u64,
    large: u64,
    streams: u64,
    seconds: f64,
    saturating: u64,
    held: usize,
}

/// Runs the bench and prints its table.
pub fn run(options: &Options) -> Outcome {
    let quick = options.has("quick");
    let pick = |whole: u64, quick_one: u64| if quick { quick_one } else { whole };
    let sizes = Sizes {
        rounds: options.number("rounds", if quick { 2 } else { 5 })?,
        small: pick(30_000, 6_000),
        large: pick(8_000, 2_000),
        streams: pick(160, 48),
        seconds: if quick { 2.0 } else { 4.0 },
        saturating: pick(80_000, 20_000),
        held: 1_000,
    };
    let cores = Cores::choose()?;
    let mut upstream = Process::role("the upstream", cores.others, &["upstream"])?;
    let upstream_address = upstream.line()?;
    let mut floor = Process::role("the floor", cores.measured, &["floor", "--upstream", &upstream_address])?;
    let floor_address = floor.line()?;
    let gateway = if options.has("floor-only") {
        None
    } else {
        let program = options.text("gateway").map_err(|_| "--gateway PROGRAM or --floor-only is needed")?;
        Some(Gateway::start(Path::new(program), cores.measured, &upstream_address)?)
    };
    let direct =
        Asked { address: &upstream_address, key: None, id: None, is_gateway: false, answered: Cell::new(0) };
    let below = Asked {
        address: &floor_address,
        key: None,
        id: Some(floor.id()),
        is_gateway: false,
        answered: Cell::new(0),
    };
    let ours = gateway.as_ref().map(|gateway| Asked {
        address: &gateway.address,
        key: Some(&gateway.key),
        id: Some(gateway.id()),
        is_gateway: true,
        answered: Cell::new(0),
    });

    let mut report = Report::new(gateway.is_some());
    if let Some(load) = account::others_at_work() {
        eprintln!(
            "{load:.1} other tasks have been at work in the last minute: trust the ratios, not the figures"
        );
    }
    std::thread::sleep(REST);
    report.add(Figure::IdleMemory, resident(&below)?, ours.as_ref().map(resident).transpose()?);
    for asked in std::iter::once(&below).chain(&ours) {
        warm(asked, cores)?;
    }
    let parties: Vec<&Asked<'_>> = std::iter::once(&below).chain(&ours).collect();
    for round in 1..=sizes.rounds {
        eprintln!("round {round} of {}", sizes.rounds);
        let figures = measure(&direct, &parties, cores, &sizes)?;
        report.round(&figures[0], figures.get(1));
    }
    report.add(Figure::MemoryAfterLoad, resident(&below)?, ours.as_ref().map(resident).transpose()?);
    eprintln!("{} open streams", sizes.held);
    let held = |asked: &Asked<'_>| held(asked, cores, sizes.held);
    report.add(Figure::MemoryHeld, held(&below)?, ours.as_ref().map(held).transpose()?);

    if let (Some(gateway), Some(ours)) = (&gateway, &ours) {
        // A gateway that keeps no books would be fast for the wrong reason.
        let (rows, answered) = (gateway.ledger_rows()?, ours.answered.get());
        eprintln!(
            "the gateway's ledger holds {rows} rows of {answered} answers and {} held streams",
            sizes.held
        );
        if rows < answered {
            return Err(format!("the ledger lacks {} of {answered} answered requests", answered - rows));
        }
    }
    if let Ok(path) = options.text("out") {
        std::fs::write(path, report.json().to_string()).map_err(|e| format!("{path}: {e}"))?;
    }
    print!("{}", if options.has("md") { report.markdown() } else { report.table() });
    match report.missed() {
        0 => Ok(()),
        missed if options.has("strict") => Err(format!("{missed} figures miss their bar")),
        _ => Ok(()),
    }
}

fn resident(asked: &Asked<'_>) -> Outcome<f64> {
    let id = asked.id.ok_or("only a process has memory")?;
    Ok(account::resident(id)? as f64 / (1024.0 * 1024.0))
}

/// Everything once, so that connections, caches and lazily built tables are there before anything counts.
fn warm(asked: &Asked<'_>, cores: Cores) -> Outcome {
    for (model, size) in [("answer", "1000"), ("answer", "50000"), ("translated", "1000")] {
        load(asked, cores, model, &["--size", size, "--connections", "64", "--count", "3000"])?;
    }
    load(asked, cores, "chunks", &["--stream", "--connections", "16", "--count", "16"])?;
    Ok(())
}

/// The latencies without any proxy, in microseconds: whole p50 and p99, and the first content's p50.
fn latencies(asked: &Asked<'_>, cores: Cores, sizes: &Sizes) -> Outcome<[f64; 3]> {
    let seconds = sizes.seconds.to_string();
    let whole = load(asked, cores, "answer", &["--rate", "200", "--seconds", &seconds])?;
    let streamed = load(
        asked,
        cores,
        "chunks",
        &["--stream", "--rate", "20", "--connections", "16", "--seconds", &seconds],
    )?;
    Ok([whole.whole.p50, whole.whole.p99, streamed.first.p50])
}

/// One round: every figure of every party, the parties in turn.
fn measure(direct: &Asked<'_>, parties: &[&Asked<'_>], cores: Cores, sizes: &Sizes) -> Outcome<Vec<Figures>> {
    let mut figures = vec![Figures::new(); parties.len()];
    let (small, large, streams) =
        (sizes.small.to_string(), sizes.large.to_string(), sizes.streams.to_string());
    let bodies = [
        (Figure::Small, "answer", "1000", &small),
        (Figure::Large, "answer", "50000", &large),
        // The floor translates nothing; what it costs to pass the same body stands for it.
        (Figure::TranslatedSmall, "translated", "1000", &small),
        (Figure::TranslatedLarge, "translated", "50000", &large),
    ];
    let compared = parties.len() > 1;
    for (figure, model, size, count) in bodies.into_iter().filter(|body| compared || body.1 != "translated") {
        for (asked, figures) in parties.iter().zip(&mut figures) {
            let load = ["--size", size, "--connections", "8", "--count", count];
            let (told, spent) = cost(asked, cores, model, &load)?;
            figures.insert(figure, spent.as_secs_f64() * 1e6 / told.requests as f64);
        }
    }
    for (asked, figures) in parties.iter().zip(&mut figures) {
        let load = ["--stream", "--connections", "16", "--count", &streams];
        let (told, spent) = cost(asked, cores, "chunks", &load)?;
        figures.insert(Figure::Chunk, spent.as_secs_f64() * 1e6 / told.marks as f64);
    }
    let reference = latencies(direct, cores, sizes)?;
    for (asked, figures) in parties.iter().zip(&mut figures) {
        let [p50, p99, first] = latencies(asked, cores, sizes)?;
        figures.insert(Figure::AddedMiddle, (p50 - reference[0]) / 1e3);
        figures.insert(Figure::AddedTail, (p99 - reference[1]) / 1e3);
        figures.insert(Figure::AddedFirst, (first - reference[2]) / 1e3);
    }
    for (asked, figures) in parties.iter().zip(&mut figures) {
        saturate(asked, cores, sizes, figures)?;
    }
    Ok(figures)
}

/// As many requests as the one core gives.
fn saturate(asked: &Asked<'_>, cores: Cores, sizes: &Sizes, figures: &mut Figures) -> Outcome {
    let id = asked.id.ok_or("only a process can be saturated")?;
    let count = sizes.saturating.to_string();
    let before = Cpu::of(id)?;
    let told = load(asked, cores, "answer", &["--connections", "64", "--count", &count])?;
    let busy = Cpu::of(id)?.since(&before).as_secs_f64() / told.seconds;
    figures.insert(Figure::Saturated, told.requests as f64 / told.seconds);
    figures.insert(Figure::Busy, busy * 100.0);
    std::thread::sleep(REST);
    Ok(())
}

/// Runs a load and returns what it told and the processor time that the asked process spent on it.
fn cost(asked: &Asked<'_>, cores: Cores, model: &str, arguments: &[&str]) -> Outcome<(Told, Duration)> {
    let id = asked.id.ok_or("only a process spends time")?;
    let before = Cpu::of(id)?;
    let told = load(asked, cores, model, arguments)?;
    std::thread::sleep(REST);
    Ok((told, Cpu::of(id)?.since(&before)))
}

fn load(asked: &Asked<'_>, cores: Cores, model: &str, arguments: &[&str]) -> Outcome<Told> {
    let mut process = start_load(asked, cores, model, arguments)?;
    let told = Told::read(&process.line()?);
    process.finish()?;
    let told = told.map_err(|e| format!("{model} {}: {e}", arguments.join(" ")))?;
    asked.answered.set(asked.answered.get() + told.requests);
    if model == "chunks" && told.marks != told.requests * CHUNKS_EACH {
        return Err(format!(
            "{} streams of {CHUNKS_EACH} chunks came as {} chunks",
            told.requests, told.marks
        ));
    }
    Ok(told)
}

fn start_load(asked: &Asked<'_>, cores: Cores, model: &str, arguments: &[&str]) -> Outcome<Process> {
    let model = match (asked.is_gateway, model) {
        (true, model) => format!("bench-{model}"),
        (false, "translated") => "answer".into(),
        (false, "chunks") => CHUNKS.into(),
        (false, model) => model.into(),
    };
    let mut all = vec!["load", "--address", asked.address, "--model", &model];
    if let Some(key) = asked.key {
        all.extend(["--key", key]);
    }
    all.extend(arguments);
    Process::role("the load", cores.others, &all)
}

/// Memory, in MiB, while so many streams are open and silent.
fn held(asked: &Asked<'_>, cores: Cores, streams: usize) -> Outcome<f64> {
    let mut process =
        start_load(asked, cores, "hold", &["--stream", "--hold", "--connections", &streams.to_string()])?;
    process.line()?;
    std::thread::sleep(Duration::from_millis(300));
    let memory = resident(asked);
    process.finish()?;
    memory
}
