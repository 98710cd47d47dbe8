//! What remembering costs, printed. Run it with
//! `cargo test --release -p store --test measure -- --ignored --nocapture --test-threads 1`.
//! Nothing here passes or fails by a time.

#![allow(clippy::unwrap_used)]

mod rows;

use rows::{intent, served};
use std::time::{Duration, Instant};
use store::{Filter, NewKey, Options, Store, export};

/// CPU time of this thread.
fn thread_cpu() -> Duration {
    cpu("/proc/thread-self/schedstat")
}

fn cpu(path: &str) -> Duration {
    let text = std::fs::read_to_string(path).unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

/// CPU time of all threads of this process.
fn process_cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.map(|t| cpu(t.unwrap().path().join("schedstat").to_str().unwrap())).sum()
}

fn per(total: Duration, n: u64) -> f64 {
    total.as_secs_f64() * 1e6 / n as f64
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[test]
#[ignore = "measures; run in release"]
fn appending_and_feeding_a_backlog() {
    const N: u64 = 400_000;
    let dir = tempfile::tempdir_in(".").unwrap();
    let options = Options { feed_every: Duration::from_secs(3600), ..Options::default() };
    let store = Store::open(dir.path(), &options).unwrap();
    // The rows are made before the clock runs, as a server has them in hand.
    let (mut before, mut after) = (intent(0), served(0));
    let (cpu, wall) = (thread_cpu(), Instant::now());
    for n in 0..N {
        (before.request_id, after.request_id) = (rows::id(n), rows::id(n));
        while store.journal().intend(&before).is_err() {
            std::thread::yield_now();
        }
        store.journal().settle(&after).unwrap();
    }
    let cpu = thread_cpu() - cpu;
    println!("intend + settle: {:.0} ns CPU, {:.0} ns wall", per(cpu, N) * 1e3, per(wall.elapsed(), N) * 1e3);
    println!(
        "journal: {} segments for {N} requests; resident {} MiB",
        store.state().segments,
        resident_mib()
    );
    let (cpu, wall) = (thread_cpu(), Instant::now());
    store.flush().unwrap();
    let (cpu, wall) = (thread_cpu() - cpu, wall.elapsed());
    println!("feeding: {:.2} us CPU a row, {:.0} rows/s", per(cpu, N), N as f64 / wall.as_secs_f64());
    let size = std::fs::metadata(dir.path().join("ledger.db")).unwrap().len();
    println!("database: {} bytes a row; resident {} MiB", size / N, resident_mib());
    let (cpu, wall) = (thread_cpu(), Instant::now());
    let count =
        export(dir.path(), &Filter::default(), &mut |row| store::write_json_line(row, &mut std::io::sink()));
    assert_eq!(count.unwrap(), N);
    println!("export: {:.2} us CPU a row, {:.1} s", per(thread_cpu() - cpu, N), wall.elapsed().as_secs_f64());
    store.close().unwrap();
}

#[test]
#[ignore = "measures; run in release"]
fn a_steady_load() {
    for rate in [500u64, 5_000, 20_000] {
        let seconds = 5;
        let dir = tempfile::tempdir_in(".").unwrap();
        let store = Store::open(dir.path(), &Options::default()).unwrap();
        let (mut before, mut after) = (intent(0), served(0));
        let (all, mine) = (process_cpu(), thread_cpu());
        let mut walls = Vec::with_capacity((rate * seconds) as usize);
        let began = Instant::now();
        let mut n = 0;
        while began.elapsed() < Duration::from_secs(seconds) {
            let due = (began.elapsed().as_micros() as u64 * rate) / 1_000_000;
            while n < due {
                (before.request_id, after.request_id) = (rows::id(n), rows::id(n));
                let wall = Instant::now();
                store.journal().intend(&before).unwrap();
                store.journal().settle(&after).unwrap();
                walls.push(wall.elapsed().as_nanos());
                n += 1;
            }
            std::thread::sleep(Duration::from_micros(1000));
        }
        let (all, mine) = (process_cpu() - all, thread_cpu() - mine);
        walls.sort_unstable();
        let [p50, p99, p999] = [2, 100, 1000].map(|one_in| walls[walls.len() - 1 - walls.len() / one_in]);
        println!(
            "{rate}/s: {:.2} us CPU a request in the background; intend + settle p50 {p50} ns, p99 {p99} ns, p99.9 \
             {p999} ns; resident {} MiB",
            per(all - mine, n),
            resident_mib()
        );
        store.close().unwrap();
    }
}

#[test]
#[ignore = "measures; run in release"]
fn checking_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let keys = store::KeyRing::open(dir.path()).unwrap();
    let now = model::Timestamp(rows::EPOCH_US);
    let new = NewKey { team: "support".into(), ..NewKey::default() };
    let key = (0..100).map(|_| keys.create(&new, now).unwrap()).last().unwrap().key;
    const N: u64 = 200_000;
    let cpu = thread_cpu();
    for _ in 0..N {
        std::hint::black_box(keys.verify(&key, now)).unwrap();
    }
    println!("verify: {:.0} ns", per(thread_cpu() - cpu, N) * 1e3);
    let cpu = thread_cpu();
    for _ in 0..N {
        std::hint::black_box(keys.refresh()).unwrap();
    }
    println!("refresh without a change: {:.0} ns", per(thread_cpu() - cpu, N) * 1e3);
}
