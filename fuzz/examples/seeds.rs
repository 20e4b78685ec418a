//! Writes the seeds of every target into a folder: `cargo run -p opencomputer-usage-fuzz --example seeds -- DIR`.

use std::path::PathBuf;
use std::{env, fs, io};

use opencomputer_usage_fuzz::TARGETS;
use opencomputer_usage_fuzz::seeds::Seeds;

fn main() -> io::Result<()> {
    let root = env::args_os().nth(1).map(PathBuf::from).ok_or_else(|| io::Error::other("no folder given"))?;
    let seeds = Seeds::default();
    for (target, _) in TARGETS {
        let folder = root.join(target);
        fs::create_dir_all(&folder)?;
        for (index, seed) in seeds.of(target).iter().enumerate() {
            fs::write(folder.join(format!("{index:04}")), seed)?;
        }
    }
    Ok(())
}
