//! The figures as Markdown.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::{Benchmark, Figure, ROWS};

type Named<'a> = (&'a str, &'a str, Benchmark);

/// Returns the table of the README.
pub fn table(benchmarks: &[Named]) -> Result<String> {
    let mut table = "\n| what | median | spread | bar | |\n|---|---|---|---|---|\n".to_owned();
    for (file, name, label) in ROWS {
        let (.., benchmark) = benchmarks.iter().find(|(known, ..)| *known == file).context(file)?;
        let figure = benchmark.figures.iter().find(|figure| figure.name == name);
        table += &row(label, figure.with_context(|| format!("{file} has no figure `{name}`"))?);
    }
    let missed = missed(benchmarks);
    let bars = benchmarks.iter().flat_map(|(.., one)| &one.figures).filter(|figure| figure.holds.is_some()).count();
    let _ = write!(table, "\n{} of {bars} bars hold", bars - missed.len());
    for (at, (title, figure)) in missed.iter().enumerate() {
        let before = if at == 0 { ". Missed:" } else { ";" };
        let _ = write!(table, "{before} {} ({title})", figure.name);
    }
    table += ". [All figures](docs/benchmarks.md), with the machine and the versions.\n\n";
    Ok(table)
}

/// Returns the page with all figures.
pub fn page(benchmarks: &[Named]) -> String {
    let mut page = "# Benchmarks\n\n<!-- Written by `make bench`; do not edit. -->\n\n\
        `make bench` measures everything and writes this page. A figure is the median of its samples; the spread is\n\
        the least and the most of them. A ratio is the median of the ratios of pairs, measured in turn within one\n\
        run. [How each figure is measured](../benches/README.md).\n"
        .to_owned();
    let missed = missed(benchmarks);
    page += if missed.is_empty() { "\nEvery bar holds.\n" } else { "\n**Missed bars**\n\n" };
    for (title, figure) in missed {
        let (value, bar) = (amount(figure.value, &figure.unit), bar(figure));
        let _ = writeln!(page, "- {title}: {} is {value}, the bar is {bar}", cell(&figure.name));
    }
    for (_, title, benchmark) in benchmarks {
        let Benchmark { command, date, machine, versions, notes, figures } = benchmark;
        let versions: Vec<_> = versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        let _ = write!(page, "\n## {title}\n\n`{command}`, {date}\n\n- Machine: {machine}\n");
        let _ = writeln!(page, "- Versions: {}", versions.join(", "));
        page.extend(notes.iter().map(|note| format!("- {note}\n")));
        page += "\n| figure | median | spread | bar | |\n|---|---|---|---|---|\n";
        page.extend(figures.iter().map(|figure| row(&cell(&figure.name), figure)));
    }
    page
}

fn missed<'a>(benchmarks: &'a [Named]) -> Vec<(&'a str, &'a Figure)> {
    let all = benchmarks.iter().flat_map(|(_, title, one)| one.figures.iter().map(|figure| (*title, figure)));
    all.filter(|(_, figure)| figure.holds == Some(false)).collect()
}

fn row(label: &str, figure: &Figure) -> String {
    let least = figure.samples.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figure.samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let spread = match figure.samples.len() {
        0 | 1 => String::new(),
        many => format!("{} – {} ({many})", number(least), number(most)),
    };
    let verdict = match figure.holds {
        None => "",
        Some(true) => "holds",
        Some(false) => "**missed**",
    };
    let (value, bar) = (amount(figure.value, &figure.unit), bar(figure));
    format!("| {label} | {value} | {spread} | {bar} | {verdict} |\n")
}

/// Returns the bar, which the benchmarks write in different ways.
fn bar(figure: &Figure) -> String {
    figure.bar.as_deref().unwrap_or_default().replace(">=", "≥").replace("<=", "≤")
}

/// Escapes what would end a cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn amount(value: f64, unit: &str) -> String {
    let unit = if unit == "x" { "×" } else { unit };
    format!("{} {unit}", number(value)).trim_end().to_owned()
}

/// Formats a number with three significant digits, and with all digits before the decimal point.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 0.01 => format!("{value:.4}"),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::BENCHMARKS;
    use super::*;

    fn figure(name: &str, holds: Option<bool>) -> Figure {
        Figure {
            name: name.to_owned(),
            value: 2.0,
            unit: "x".to_owned(),
            bar: holds.map(|_| ">= 3".to_owned()),
            holds,
            samples: vec![4.0, 2.0, 1.5],
        }
    }

    /// Returns benchmarks that have the figures of the README, and one more.
    fn benchmarks(holds: bool) -> Vec<Named<'static>> {
        let one = |(file, title)| {
            let rows = ROWS.iter().filter(|(of, ..)| *of == file).map(|(_, name, _)| figure(name, Some(holds)));
            let figures = rows.chain([figure("only on the page", None)]).collect();
            let benchmark = Benchmark {
                command: "make bench-it".to_owned(),
                date: "2026-11-29".to_owned(),
                machine: "a machine with 2 cores".to_owned(),
                versions: BTreeMap::from([("peer".to_owned(), "1.2.3".to_owned())]),
                notes: vec!["a note".to_owned()],
                figures,
            };
            (file, title, benchmark)
        };
        BENCHMARKS.map(one).into()
    }

    #[test]
    fn the_page_has_every_figure_with_its_machine_versions_and_command() {
        let page = page(&benchmarks(true));
        for text in
            ["`make bench-it`, 2026-11-29", "a machine with 2 cores", "peer 1.2.3", "- a note", "Every bar holds."]
        {
            assert!(page.contains(text), "{text}");
        }
        assert_eq!(page.matches("| only on the page | 2.00 × | 1.50 – 4.00 (3) |  |  |").count(), BENCHMARKS.len());
    }

    #[test]
    fn missed_bars_are_shown_as_missed() {
        let benchmarks = benchmarks(false);
        let (page, table) = (page(&benchmarks), table(&benchmarks).unwrap());
        for text in [&page, &table] {
            assert_eq!(text.matches("| ≥ 3 | **missed** |").count(), ROWS.len());
        }
        assert!(page.contains("- The npm package: "));
        assert!(table.contains(&format!("\n0 of {} bars hold. Missed: ", ROWS.len())));
        assert!(!page.contains("holds"));
    }

    #[test]
    fn a_figure_of_the_readme_that_is_missing_is_an_error() {
        let mut benchmarks = benchmarks(true);
        benchmarks[0].2.figures.remove(0);
        assert!(table(&benchmarks).unwrap_err().to_string().contains("tag: server, in turn with it"));
    }
}
