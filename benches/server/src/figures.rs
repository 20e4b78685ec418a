//! The measured figures, as a table and as JSON.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use opencomputer_usage_bench::quantile;
use opencomputer_usage_core::usage::window::Timestamp;
use serde::Serialize;

/// A row of the table.
#[derive(Serialize)]
pub(crate) struct Figure {
    #[serde(rename = "figure")]
    name: String,
    value: f64,
    unit: &'static str,
    /// The bar; `None` if the figure is only reported.
    bar: Option<String>,
    holds: Option<bool>,
    samples: Vec<f64>,
}

/// The bar of a figure.
#[derive(Clone, Copy)]
pub(crate) enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

/// All figures, in the order of measurement, and the programs that were measured.
#[derive(Default)]
pub(crate) struct Figures {
    all: Vec<Figure>,
    versions: BTreeMap<&'static str, String>,
    notes: Vec<String>,
}

/// The contents of the JSON file.
#[derive(Serialize)]
struct Written<'a> {
    command: &'a str,
    date: &'a str,
    machine: String,
    versions: &'a BTreeMap<&'static str, String>,
    notes: &'a [String],
    figures: &'a [Figure],
}

impl Figures {
    /// Adds the version of a program.
    pub(crate) fn version(&mut self, program: &'static str, version: String) {
        self.versions.insert(program, version);
    }

    /// Adds a sentence about the run.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Adds the median of samples without a bar.
    pub(crate) fn report(&mut self, figure: &str, unit: &'static str, samples: Vec<f64>) {
        self.add(figure, unit, samples, None);
    }

    /// Adds the median of samples with a bar.
    pub(crate) fn hold(&mut self, figure: &str, unit: &'static str, samples: Vec<f64>, bar: Bar) {
        self.add(figure, unit, samples, Some(bar));
    }

    fn add(&mut self, figure: &str, unit: &'static str, samples: Vec<f64>, bar: Option<Bar>) {
        let Some(value) = quantile(&samples, 0.5) else { return };
        let (bar, holds) = match bar {
            None => (None, None),
            Some(Bar::AtLeast(least)) => (Some(format!(">= {least}")), Some(value >= least)),
            Some(Bar::AtMost(most)) => (Some(format!("<= {most}")), Some(value <= most)),
        };
        let bound = bar.as_deref().unwrap_or("");
        eprintln!("    {figure}: {value:.2} {unit} {bound}");
        self.all.push(Figure { name: figure.to_owned(), value, unit, bar, holds, samples });
    }

    /// Prints the table, lists missed bars last, and writes the file.
    pub(crate) fn finish(&self, file: &Path) -> Result<()> {
        let width = self.all.iter().map(|one| one.name.chars().count()).max().unwrap_or_default();
        println!("\n{:width$}  {:>12} {:6} {:8} samples (least, most)", "figure", "median", "unit", "bar");
        for one in &self.all {
            let verdict = match one.holds {
                None => "",
                Some(true) => "holds",
                Some(false) => "MISSED",
            };
            let (least, most) = (quantile(&one.samples, 0.0), quantile(&one.samples, 1.0));
            let (least, most) = (least.unwrap_or_default(), most.unwrap_or_default());
            println!(
                "{:width$}  {:>12.2} {:6} {:8} {} ({least:.2}, {most:.2})  {verdict}",
                one.name,
                one.value,
                one.unit,
                one.bar.as_deref().unwrap_or("-"),
                one.samples.len(),
            );
        }
        for note in &self.notes {
            println!("note: {note}");
        }
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
        let now = Timestamp::from_micros(i64::try_from(now)?).context("the clock is off")?.to_string();
        let date = now.split('T').next().unwrap_or_default();
        let Self { all: figures, versions, notes } = self;
        let written = Written { command: "make bench-server", date, machine: machine(), versions, notes, figures };
        std::fs::write(file, serde_json::to_string_pretty(&written)? + "\n")?;
        println!("written to {}", file.display());
        let missed: Vec<_> = self.all.iter().filter(|one| one.holds == Some(false)).collect();
        if missed.is_empty() {
            println!("Every bar that was measured holds.");
        }
        for one in missed {
            let bar = one.bar.as_deref().unwrap_or_default();
            println!("MISSED: {} is {:.2} {}, the bar is {bar}", one.name, one.value, one.unit);
        }
        Ok(())
    }
}

/// Describes the machine: its processor, cores, memory and system.
fn machine() -> String {
    let value = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_start_matches([' ', '\t', ':']).trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut parts = vec![value("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned())];
    parts.push(format!("{cores} cores"));
    let kilobytes =
        value("/proc/meminfo", "MemTotal").and_then(|size| size.trim_end_matches(" kB").parse::<f64>().ok());
    parts.extend(kilobytes.map(|size| format!("{:.0} GB", size / 1024.0 / 1024.0)));
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    parts.push(format!("{} {}", std::env::consts::OS, release.trim()).trim_end().to_owned());
    parts.join(", ")
}
