//! Proves that the core has no I/O: its wasm build imports nothing.

use anyhow::{Result, ensure};
use std::path::Path;
use walrus::Module;

/// Crates that must be in the module, with a minimum number of functions, because an empty module proves nothing.
const PRESENT: [(&str, usize); 2] = [("opencomputer_usage_core", 50), ("chrono", 50)];

/// Builds the core as a module with all of its code, and fails if it imports anything.
pub fn run(root: &Path) -> Result<()> {
    let package = ["rustc", "--package", "opencomputer-usage-core", "--lib", "--crate-type", "cdylib"];
    // The core exports no symbol, so without these flags the linker would drop all code and all imports.
    let keep = ["--", "-Clink-dead-code", "-Clink-arg=--no-gc-sections"];
    let built = crate::cargo(root, "target", "check-core", &[&package[..], &keep].concat(), &[])?;
    // Not `Module::from_file`, which fails on debug sections of dead code.
    let module = Module::from_buffer(&std::fs::read(built.join("opencomputer_usage_core.wasm"))?)?;

    for (name, least) in PRESENT {
        let found = module.funcs.iter().filter_map(|f| f.name.as_deref()).filter(|f| f.contains(name)).count();
        ensure!(
            found >= least,
            "the module holds {found} functions of {name}, fewer than {least}, so the check proves nothing"
        );
        println!("{name}: {found} functions");
    }
    let imports: Vec<_> = module.imports.iter().map(|i| format!("\n  {}.{}", i.module, i.name)).collect();
    ensure!(imports.is_empty(), "the wasm build of the core imports{}", imports.concat());
    println!("imports: none");
    Ok(())
}
