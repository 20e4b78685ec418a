//! Proves that the core stands alone: its wasm build imports nothing.

use anyhow::{Result, ensure};
use std::path::Path;
use walrus::Module;

/// Crates whose code must be in the module, each with at least so many functions: a check of an empty module proves nothing.
const PRESENT: [(&str, usize); 2] = [("opencomputer_usage_core", 50), ("chrono", 50)];

/// Builds the core as a module from which nothing is dropped, and fails if it imports anything.
pub fn run(root: &Path) -> Result<()> {
    let package = ["rustc", "--package", "opencomputer-usage-core", "--lib", "--crate-type", "cdylib"];
    // The core exports no symbol, so without these the linker would drop all of it, imports and all.
    let keep = ["--", "-Clink-dead-code", "-Clink-arg=--no-gc-sections"];
    let built = crate::cargo(root, "target", "check-core", &[&package[..], &keep].concat(), &[])?;
    // Not `Module::from_file`: debug sections of a module that nothing was dropped from need not parse.
    let module = Module::from_buffer(&std::fs::read(built.join("opencomputer_usage_core.wasm"))?)?;

    for (name, least) in PRESENT {
        let found = module.funcs.iter().filter_map(|f| f.name.as_deref()).filter(|f| f.contains(name)).count();
        ensure!(found >= least, "the module holds {found} functions of {name}, fewer than {least}: nothing is proved");
        println!("{name}: {found} functions");
    }
    let imports: Vec<_> = module.imports.iter().map(|i| format!("\n  {}.{}", i.module, i.name)).collect();
    ensure!(imports.is_empty(), "the wasm build of the core imports{}", imports.concat());
    println!("imports: none");
    Ok(())
}
