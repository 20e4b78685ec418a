//! Writes random calls with the verdicts of the core to a file, one per line, and prints a count of outcomes per call:
//! `cargo run -p opencomputer-usage-fuzz --example verdicts -- FILE CASES SEED`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::{env, str::FromStr};

use opencomputer_usage_fuzz::differential::{Cases, End};

fn argument<T: FromStr>(at: usize, name: &str) -> io::Result<T> {
    let value = env::args().nth(at).and_then(|text| text.parse().ok());
    value.ok_or_else(|| io::Error::other(format!("{name} is missing or invalid")))
}

fn main() -> io::Result<()> {
    let (file, count, seed): (String, u64, u64) = (argument(1, "FILE")?, argument(2, "CASES")?, argument(3, "SEED")?);
    let cases = Cases::default();
    let mut counts = BTreeMap::<String, [u64; 3]>::new();
    let mut out = BufWriter::new(File::create(file)?);
    for number in 0..count {
        let case = cases.case(seed, number);
        writeln!(out, "{}", case.to_json())?;
        let [accepted, failed, refused] = counts.entry(case.call.name().to_owned()).or_default();
        *match case.verdict.end {
            End::Accepted => accepted,
            End::Failed => failed,
            End::Refused => refused,
        } += 1;
    }
    println!("{:18} {:>8} {:>8} {:>8}", "call", "accepted", "failed", "refused");
    for (name, [accepted, failed, refused]) in counts {
        println!("{name:18} {accepted:>8} {failed:>8} {refused:>8}");
    }
    out.flush()
}
