//! What the bench found: the table of figures, their bars, and how they are shown.
//!
//! A figure is one row: its name, its unit, and what the gateway must reach. Ratios are taken within a round;
//! what is shown is the median over the rounds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

/// One thing that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    Small,
    Large,
    TranslatedSmall,
    TranslatedLarge,
    Chunk,
    AddedMiddle,
    AddedTail,
    AddedFirst,
    Saturated,
    Busy,
    IdleMemory,
    MemoryAfterLoad,
    MemoryHeld,
}

/// What the gateway must reach.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bar {
    /// At most so many times the floor's figure in the same round.
    Ratio(f64),
    AtMost(f64),
    None,
}

/// Figure, key in the JSON, name, unit, bar. The order is the table's.
const ROWS: [(Figure, &str, &str, &str, Bar); 13] = [
    (Figure::Small, "cpu_1k", "CPU a request, 1 KB", "us", Bar::Ratio(1.5)),
    (Figure::Large, "cpu_50k", "CPU a request, 50 KB", "us", Bar::Ratio(2.0)),
    (Figure::TranslatedSmall, "cpu_translated_1k", "CPU a request, translated, 1 KB", "us", Bar::Ratio(2.5)),
    (
        Figure::TranslatedLarge,
        "cpu_translated_50k",
        "CPU a request, translated, 50 KB",
        "us",
        Bar::Ratio(2.5),
    ),
    (Figure::Chunk, "cpu_chunk", "CPU a streamed chunk", "us", Bar::Ratio(1.25)),
    (Figure::AddedMiddle, "added_p50", "added at 200/s, p50", "ms", Bar::None),
    (Figure::AddedTail, "added_p99", "added at 200/s, p99", "ms", Bar::None),
    (Figure::AddedFirst, "added_first_token", "added to the first token, p50", "ms", Bar::AtMost(1.0)),
    (Figure::Saturated, "saturated", "requests a second on one core", "/s", Bar::None),
    (Figure::Busy, "saturated_busy", "that core's use meanwhile", "%", Bar::None),
    (Figure::IdleMemory, "memory_idle", "memory, started and idle", "MiB", Bar::AtMost(20.0)),
    (Figure::MemoryAfterLoad, "memory_after", "memory after the load", "MiB", Bar::None),
    (Figure::MemoryHeld, "memory_1000_streams", "memory, 1,000 open streams", "MiB", Bar::None),
];

/// The figures of one proxy in one round.
pub type Figures = BTreeMap<Figure, f64>;

/// All rounds.
pub struct Report {
    with_gateway: bool,
    floor: BTreeMap<Figure, Vec<f64>>,
    gateway: BTreeMap<Figure, Vec<f64>>,
    ratios: BTreeMap<Figure, Vec<f64>>,
}

struct Line {
    key: &'static str,
    name: &'static str,
    unit: &'static str,
    floor: f64,
    gateway: Option<f64>,
    ratio: Option<f64>,
    /// The bar in words and whether it was reached.
    bar: Option<(String, bool)>,
}

impl Report {
    /// An empty report.
    pub fn new(with_gateway: bool) -> Self {
        Self { with_gateway, floor: BTreeMap::new(), gateway: BTreeMap::new(), ratios: BTreeMap::new() }
    }

    /// Adds one figure of both.
    pub fn add(&mut self, figure: Figure, floor: f64, gateway: Option<f64>) {
        self.floor.entry(figure).or_default().push(floor);
        if let Some(gateway) = gateway {
            self.gateway.entry(figure).or_default().push(gateway);
            // Of a difference near nothing there is no ratio worth telling.
            if floor > 0.0 && !matches!(figure, Figure::AddedMiddle | Figure::AddedTail | Figure::AddedFirst)
            {
                self.ratios.entry(figure).or_default().push(gateway / floor);
            }
        }
    }

    /// Adds the figures of one round.
    pub fn round(&mut self, floor: &Figures, gateway: Option<&Figures>) {
        for (figure, value) in floor {
            self.add(*figure, *value, gateway.and_then(|gateway| gateway.get(figure).copied()));
        }
    }

    /// How many bars the gateway misses.
    pub fn missed(&self) -> usize {
        self.lines().iter().filter(|line| matches!(line.bar, Some((_, false)))).count()
    }

    fn lines(&self) -> Vec<Line> {
        ROWS.iter()
            .filter_map(|(figure, key, name, unit, bar)| {
                let floor = median(self.floor.get(figure)?)?;
                let gateway = self.gateway.get(figure).and_then(|values| median(values));
                let ratio = self.ratios.get(figure).and_then(|values| median(values));
                let bar = match (*bar, gateway, ratio) {
                    (Bar::Ratio(most), _, Some(ratio)) => Some((format!("{most} x"), ratio <= most)),
                    (Bar::AtMost(most), Some(gateway), _) => {
                        Some((format!("{most} {unit}"), gateway <= most))
                    }
                    _ => None,
                };
                Some(Line { key, name, unit, floor, gateway, ratio, bar })
            })
            .collect()
    }

    /// For a terminal.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let head = if self.with_gateway { ["gateway", "ratio", "bar"] } else { ["", "", ""] };
        let head = format!("{:<34}{:>11}{:>11}{:>8}{:>9}", "", "floor", head[0], head[1], head[2]);
        let _ = writeln!(text, "{}", head.trim_end());
        for line in self.lines() {
            let verdict = match &line.bar {
                Some((bar, true)) => format!("{bar:>9}  PASS"),
                Some((bar, false)) => format!("{bar:>9}  MISS"),
                None => String::new(),
            };
            let gateway = line.gateway.map(|value| shown(value, line.unit)).unwrap_or_default();
            let ratio = line.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
            let row = format!(
                "{:<34}{:>11}{gateway:>11}{ratio:>8}{verdict}",
                line.name,
                shown(line.floor, line.unit)
            );
            let _ = writeln!(text, "{}", row.trim_end());
        }
        text
    }

    /// For a page.
    pub fn markdown(&self) -> String {
        let mut text = String::from("| | floor | gateway | ratio | bar | |\n|---|---:|---:|---:|---:|---|\n");
        for line in self.lines() {
            let (bar, verdict) = match &line.bar {
                Some((bar, true)) => (bar.as_str(), "pass"),
                Some((bar, false)) => (bar.as_str(), "**miss**"),
                None => ("", ""),
            };
            let gateway = line.gateway.map(|value| shown(value, line.unit)).unwrap_or_default();
            let ratio = line.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
            let floor = shown(line.floor, line.unit);
            let _ = writeln!(text, "| {} | {floor} | {gateway} | {ratio} | {bar} | {verdict} |", line.name);
        }
        text
    }

    /// For a program: every figure with its rounds.
    pub fn json(&self) -> Value {
        let lines = self.lines();
        let figures = lines.iter().zip(ROWS.iter().filter(|row| self.floor.contains_key(&row.0)));
        let figures: serde_json::Map<String, Value> = figures
            .map(|(line, row)| {
                let figure = json!({
                    "name": line.name, "unit": line.unit,
                    "floor": line.floor, "gateway": line.gateway, "ratio": line.ratio,
                    "bar": line.bar.as_ref().map(|bar| &bar.0), "pass": line.bar.as_ref().map(|bar| bar.1),
                    "rounds": {"floor": self.floor.get(&row.0), "gateway": self.gateway.get(&row.0)},
                });
                (line.key.to_owned(), figure)
            })
            .collect();
        json!({"figures": figures, "missed": self.missed()})
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

fn shown(value: f64, unit: &str) -> String {
    match unit {
        "/s" | "%" => format!("{value:.0} {unit}"),
        "ms" => format!("{value:.3} {unit}"),
        _ => format!("{value:.1} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_median_of_the_rounds_ratios_and_not_of_their_medians() {
        let mut report = Report::new(true);
        for (floor, gateway) in [(10.0, 14.0), (20.0, 28.0), (15.0, 60.0)] {
            report.round(
                &Figures::from([(Figure::Small, floor)]),
                Some(&Figures::from([(Figure::Small, gateway)])),
            );
        }
        let line = &report.lines()[0];
        assert_eq!((line.floor, line.gateway, line.ratio), (15.0, Some(28.0), Some(1.4)));
        assert_eq!(report.missed(), 0);
        assert!(report.table().contains("PASS"));
    }

    #[test]
    fn a_missed_bar_is_counted_and_said() {
        let mut report = Report::new(true);
        report.add(Figure::IdleMemory, 3.0, Some(21.0));
        assert_eq!(report.missed(), 1);
        assert!(report.table().contains("MISS"));
        assert!(report.markdown().contains("**miss**"));
        assert_eq!(report.json()["figures"]["memory_idle"]["pass"], false);
    }

    #[test]
    fn without_a_gateway_there_are_no_bars() {
        let mut report = Report::new(false);
        report.add(Figure::Small, 18.0, None);
        assert_eq!(report.missed(), 0);
        assert!(!report.table().contains("PASS"));
    }
}
