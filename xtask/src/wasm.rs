//! Builds the module of the npm package: rustc, wasm-bindgen, wasm-opt, then the bytes as text that JavaScript can carry.

use anyhow::{Result, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use wasm_bindgen_cli_support::Bindgen;

/// What rustc's wasm target turns on by default, by `wasm-opt`'s names.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Writes the module, its glue, its declarations and `inline.ts` to `sdks/typescript/src/wasm`.
pub fn run(root: &Path) -> Result<()> {
    let sdk = root.join("sdks/typescript");
    let wasm_opt = sdk.join("node_modules/.bin/wasm-opt");
    ensure!(wasm_opt.exists(), "wasm-opt is missing: run `npm ci` in sdks/typescript");

    let built = build(root)?;
    let out = sdk.join("src/wasm");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    Bindgen::new()
        .input_path(built.join("opencomputer_usage_wasm.wasm"))
        .out_name("core")
        .web(true)?
        .typescript(true)
        .omit_default_module_path(true)
        // After a trap the host starts anew.
        .reset_state_function(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(&out)?;

    let module = out.join("core_bg.wasm");
    crate::run(Command::new(wasm_opt).args(FEATURES).arg("-Oz").arg(&module).arg("-o").arg(&module))?;

    let bytes = fs::read(&module)?;
    let deflated = deflate(&bytes)?;
    fs::write(out.join("inline.ts"), inline(&bytes, &deflated))?;
    println!("core_bg.wasm: {} bytes, {} deflated", bytes.len(), deflated.len());
    Ok(())
}

/// Compiles the module; answers where it is.
///
/// A standard library of its own saves a sixth: it is compiled for size, too, and a panic traps at once instead of
/// writing a message that nobody reads. The pinned stable compiler can do both, but asks for its bootstrap switch. The
/// flags would invalidate every other build for this target, so they have a target directory to themselves.
fn build(root: &Path) -> Result<PathBuf> {
    let std = ["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"];
    let package = ["build", "--locked", "--package", "opencomputer-usage-wasm"];
    let environment = [("RUSTC_BOOTSTRAP", "1"), ("RUSTFLAGS", "-Zunstable-options -Cpanic=immediate-abort")];
    crate::cargo(root, "target/npm", "wasm", &[&package[..], &std].concat(), &environment)
}

/// The module as base64 of raw deflate: base64 hides the repetitions that a server's own compression would look for.
fn inline(bytes: &[u8], deflated: &[u8]) -> String {
    let (size, text) = (bytes.len(), BASE64_STANDARD.encode(deflated));
    format!(
        "/** Bytes of `core_bg.wasm`. */\nexport const size: number = {size};\n\n\
         /** `core_bg.wasm`, deflated, in base64. */\nexport const deflated: string =\n  \"{text}\";\n"
    )
}

fn deflate(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut deflated = Vec::new();
    zopfli::compress(zopfli::Options::default(), zopfli::Format::Deflate, bytes, &mut deflated)?;
    Ok(deflated)
}
