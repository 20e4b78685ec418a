//! The measured figures, as a table and as JSON.

use std::path::Path;

use anyhow::Result;
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

/// All figures, in the order of measurement.
#[derive(Default)]
pub(crate) struct Figures(Vec<Figure>);

impl Figures {
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
        self.0.push(Figure { name: figure.to_owned(), value, unit, bar, holds, samples });
    }

    /// Prints the table, lists missed bars last, and writes the file.
    pub(crate) fn finish(&self, file: &Path, notes: &[String]) -> Result<()> {
        let width = self.0.iter().map(|one| one.name.chars().count()).max().unwrap_or_default();
        println!("\n{:width$}  {:>12} {:6} {:8} samples (least, most)", "figure", "median", "unit", "bar");
        for one in &self.0 {
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
        for note in notes {
            println!("note: {note}");
        }
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, serde_json::to_string_pretty(&self.0)? + "\n")?;
        println!("written to {}", file.display());
        let missed: Vec<_> = self.0.iter().filter(|one| one.holds == Some(false)).collect();
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

/// Returns a quantile of samples.
pub(crate) fn quantile(samples: &[f64], part: f64) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index, from 0 to the length")]
    let at = (part * (sorted.len().checked_sub(1)?) as f64).round() as usize;
    sorted.get(at).copied()
}
