//! The same aggregate in DuckDB.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use opencomputer_usage_bench::quantile;
use opencomputer_usage_bench::server::Server;

use crate::data::{BIG, org};
use crate::figures::Figures;
use crate::{RUNS, by_tag, connect, millis};

/// Measures the same aggregate in DuckDB, if the Python named by `DUCKDB_PYTHON` has it. Returns its version.
pub(crate) async fn measure(folder: &Path, server: &Server, total: f64, figures: &mut Figures) -> Result<String> {
    #[derive(serde::Deserialize)]
    struct Answer {
        seconds: Vec<f64>,
        memory: String,
        version: String,
    }
    let python = std::env::var("DUCKDB_PYTHON").context("DUCKDB_PYTHON names no Python")?;
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("duckdb_peer.py");
    let [from, to] = ["1735689600000000", "1743465600000000"];
    let mut client = connect(server).await?;
    // Ours before and after, DuckDB in between, because its rows live in its own process.
    let mut ours = Vec::new();
    let mut measure = async |ours: &mut Vec<f64>| -> Result<()> {
        for _ in 0..RUNS {
            let start = Instant::now();
            client.get(&by_tag()).await?;
            ours.push(millis(start));
        }
        Ok(())
    };
    measure(&mut ours).await?;
    let output = tokio::process::Command::new(python)
        .arg(program)
        .arg(folder)
        .args([&org(BIG).to_string(), from, to, &RUNS.to_string()])
        .output()
        .await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    measure(&mut ours).await?;
    let answer: Answer = serde_json::from_slice(&output.stdout)?;
    let theirs = answer.memory.parse::<u128>()? as f64 / 1_024_000_000.0;
    ensure!(theirs.to_bits() == total.to_bits(), "its total is {theirs}, the server's {total}");
    let samples: Vec<_> = answer.seconds.iter().map(|seconds| seconds * 1e3).collect();
    let median = quantile(&samples, 0.5).context("no samples")?;
    figures.report(
        "tag: server's time over DuckDB's (in memory, its own format)",
        "x",
        ours.iter().map(|ours| ours / median).collect(),
    );
    figures.report("tag: DuckDB", "ms", samples);
    Ok(answer.version)
}
