//! Builds the modules of the npm package: rustc, wasm-bindgen, wasm-opt, a split of the code by kind, LZMA, then base64
//! for a JavaScript string.

use anyhow::{Result, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use lzma_rust2::{LzmaOptions, LzmaWriter};
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};
use wasm_bindgen_cli_support::Bindgen;

use crate::split::Split;

/// The features that rustc's wasm target enables by default, by `wasm-opt`'s names.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Optimizes for size. The memory starts as zeros, belongs to the module alone, and its first kilobyte stays unused.
const PASSES: [&str; 4] = ["-Oz", "--converge", "--low-memory-unused", "--zero-filled-memory"];

/// The modules and their features: all of the bindings, and only the pure functions at half the size.
const MODULES: [(&str, &[&str]); 2] = [("core", &[]), ("validate", &["--no-default-features"])];

/// Writes the modules, each as a file and as text, to `sdks/typescript/src/wasm`.
pub fn run(root: &Path) -> Result<()> {
    let sdk = root.join("sdks/typescript");
    // A program for Node.js. The link to it in `.bin` is a batch file on Windows.
    let wasm_opt = sdk.join("node_modules/binaryen/bin/wasm-opt");
    ensure!(wasm_opt.exists(), "wasm-opt is missing: run `npm ci` in sdks/typescript");

    let out = sdk.join("src/wasm");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir(&out)?;
    for (name, features) in MODULES {
        let module = out.join(name).with_extension("wasm");
        let built = build(root, features)?.join("opencomputer_usage_wasm.wasm");
        fs::write(&module, exported(&built)?)?;
        crate::run(
            Command::new("node").arg(&wasm_opt).args(FEATURES).args(PASSES).arg(&module).arg("-o").arg(&module),
        )?;

        let bytes = fs::read(&module)?;
        let split = Split::new(&bytes)?;
        let packed = pack(&split.parts())?;
        fs::write(module.with_extension("ts"), inline(name, &split, &packed))?;
        println!("{name}.wasm: {} bytes, {} packed", bytes.len(), packed.len());
    }
    Ok(())
}

/// Compiles a module; returns the directory of its file.
///
/// Building the standard library, too, saves a fifth: it is optimized for size, and a panic traps at once instead of
/// formatting a message that is not shown. The pinned stable compiler needs its bootstrap switch for it. The flags
/// would invalidate every other build for this target, so they have their own target directory.
fn build(root: &Path, features: &[&str]) -> Result<PathBuf> {
    let std = ["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"];
    let package = ["build", "--locked", "--package", "opencomputer-usage-wasm"];
    let environment = [("RUSTC_BOOTSTRAP", "1"), ("RUSTFLAGS", "-Zunstable-options -Cpanic=immediate-abort")];
    crate::cargo(root, "target/npm", "wasm", &[&package[..], &std, features].concat(), &environment)
}

/// Generates the exports, and removes what wasm-bindgen adds for values of the host, with its one import. Only numbers
/// cross the boundary.
fn exported(module: &Path) -> Result<Vec<u8>> {
    let mut output = Bindgen::new()
        .input_path(module)
        .out_name("core")
        .web(true)?
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output()?;
    let module = output.wasm_mut();
    let is_added = |export: &&walrus::Export| export.name.starts_with("__");
    let added: Vec<_> = module.exports.iter().filter(is_added).map(walrus::Export::id).collect();
    for export in added {
        module.exports.delete(export);
    }
    walrus::passes::gc::run(module);
    ensure!(module.imports.iter().next().is_none(), "the module imports something");
    Ok(module.emit_wasm())
}

/// Returns the source of a file with the module in base64. It is compressed first, because base64 hides repetitions
/// from a server's compression.
fn inline(name: &str, split: &Split, packed: &[u8]) -> String {
    let (ends, functions, text) = (split.ends(), split.functions(), BASE64_STANDARD.encode(packed));
    format!(
        "/** Where each part of `{name}.wasm` ends. */\nexport const ends: readonly number[] = {ends:?};\n\n\
         /** The number of its functions. */\nexport const functions: number = {functions};\n\n\
         /** Its parts, packed, in base64. */\nexport const packed: string =\n  \"{text}\";\n"
    )
}

/// Compresses for `unpack.ts`: without a header or an end marker, with one bit of the byte before as context, and without
/// position bits, which do not help for code.
fn pack(bytes: &[u8]) -> Result<Vec<u8>> {
    let options = LzmaOptions { lc: 1, lp: 0, pb: 0, nice_len: 273, ..LzmaOptions::with_preset(9) };
    let mut writer = LzmaWriter::new_no_header(Vec::new(), &options, false)?;
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}
