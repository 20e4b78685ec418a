//! Builds the module of the npm package: rustc, wasm-bindgen, wasm-opt, then the bytes as base64.

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
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

    let built = crate::cargo(root, "wasm", &["build", "--package", "opencomputer-usage-wasm"])?;
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
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(&out)?;

    let module = out.join("core_bg.wasm");
    crate::run(Command::new(wasm_opt).args(FEATURES).arg("-Oz").arg(&module).arg("-o").arg(&module))?;

    let bytes = fs::read(&module)?;
    let inline = BASE64_STANDARD.encode(&bytes);
    fs::write(
        out.join("inline.ts"),
        format!("/** The bytes of `core_bg.wasm` in base64. */\nexport const wasmBase64: string =\n  \"{inline}\";\n"),
    )?;
    println!("core_bg.wasm: {} bytes, {} gzipped", bytes.len(), gzipped(&module)?);
    Ok(())
}

fn gzipped(file: &Path) -> Result<usize> {
    let output = Command::new("gzip").args(["-9", "-c"]).arg(file).stderr(Stdio::inherit()).output();
    Ok(output.context("cannot start gzip")?.stdout.len())
}
