//! Builds the modules of the npm package: rustc, wasm-bindgen, wasm-opt, then the bytes as text that JavaScript can carry.

use anyhow::{Result, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use lzma_rust2::{LzmaOptions, LzmaWriter};
use opencomputer_usage_core::host::{functions::Limits, json::ToJson as _};
use opencomputer_usage_core::limits::RESERVED_KEY_PREFIX;
use std::{
    fs,
    io::Write as _,
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

/// Size above all. The memory starts as zeros and belongs to the module alone, which keeps nothing in its first kilobyte.
const PASSES: [&str; 4] = ["-Oz", "--converge", "--low-memory-unused", "--zero-filled-memory"];

/// The modules and their features: all of the core's face, and the pure functions alone, which are half of it.
const MODULES: [(&str, &[&str]); 2] = [("core", &[]), ("validate", &["--no-default-features"])];

/// Writes the modules, each as a file and as text, and `limits.ts` to `sdks/typescript/src/wasm`.
pub fn run(root: &Path) -> Result<()> {
    let sdk = root.join("sdks/typescript");
    let wasm_opt = sdk.join("node_modules/.bin/wasm-opt");
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
        crate::run(Command::new(&wasm_opt).args(FEATURES).args(PASSES).arg(&module).arg("-o").arg(&module))?;

        let bytes = fs::read(&module)?;
        let packed = pack(&bytes)?;
        fs::write(module.with_extension("ts"), inline(name, &bytes, &packed))?;
        println!("{name}.wasm: {} bytes, {} packed", bytes.len(), packed.len());
    }
    fs::write(out.join("limits.ts"), limits())?;
    Ok(())
}

/// Compiles a module; answers where it is.
///
/// A standard library of its own saves a sixth: it is compiled for size, too, and a panic traps at once instead of
/// writing a message that nobody reads. The pinned stable compiler can do both, but asks for its bootstrap switch. The
/// flags would invalidate every other build for this target, so they have a target directory to themselves.
fn build(root: &Path, features: &[&str]) -> Result<PathBuf> {
    let std = ["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"];
    let package = ["build", "--locked", "--package", "opencomputer-usage-wasm"];
    let environment = [("RUSTC_BOOTSTRAP", "1"), ("RUSTFLAGS", "-Zunstable-options -Cpanic=immediate-abort")];
    crate::cargo(root, "target/npm", "wasm", &[&package[..], &std, features].concat(), &environment)
}

/// Finishes the exports. What wasm-bindgen adds for values of the host is taken out again, its one import with it: only
/// numbers cross.
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

/// The module as base64 of LZMA: base64 hides the repetitions that a server's own compression would look for.
fn inline(name: &str, bytes: &[u8], packed: &[u8]) -> String {
    let (size, text) = (bytes.len(), BASE64_STANDARD.encode(packed));
    format!(
        "/** Bytes of `{name}.wasm`. */\nexport const size: number = {size};\n\n\
         /** `{name}.wasm`, packed, in base64. */\nexport const packed: string =\n  \"{text}\";\n"
    )
}

/// The limits as an object that needs no module.
fn limits() -> String {
    let limits = Limits.to_json();
    format!(
        "/** The limits, as the core has them. */\nexport const limits = {limits} as const;\n\n\
         /** What keys of system tags start with. */\nexport const reservedKeyPrefix = \"{RESERVED_KEY_PREFIX}\" as const;\n"
    )
}

/// Packs as `unpack.ts` unpacks: no header and no end marker, and code has no use for positions.
fn pack(bytes: &[u8]) -> Result<Vec<u8>> {
    let options = LzmaOptions { lc: 3, lp: 0, pb: 0, nice_len: 273, ..LzmaOptions::with_preset(9) };
    let mut writer = LzmaWriter::new_no_header(Vec::new(), &options, false)?;
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}
