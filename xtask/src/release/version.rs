//! The places that state the version.

use anyhow::{Context as _, Result, ensure};
use semver::Version;
use serde_json::Value as Json;
use std::{fs, path::Path};
use toml_edit::{DocumentMut, Item, Value};

/// The manifest from which the other places follow.
pub(super) const MANIFEST: &str = "Cargo.toml";
/// The constant of the npm package, the only string in its file.
const TYPESCRIPT: &str = "sdks/typescript/src/version.ts";
/// JSON files that state the version, and the pointer to it.
const JSON: [(&str, &str); 4] = [
    ("docs/openapi.json", "/info/version"),
    ("sdks/typescript/package.json", "/version"),
    ("sdks/typescript/package-lock.json", "/version"),
    ("sdks/typescript/package-lock.json", "/packages//version"),
];

/// Parses `1.2.3`. Pre-releases and build metadata are rejected: Python spells them differently.
pub(super) fn parse(text: &str) -> Result<Version> {
    let version = Version::parse(text).with_context(|| format!("`{text}` is not a version, such as 1.2.3"))?;
    ensure!(version.pre.is_empty() && version.build.is_empty(), "`{text}` is not of the form X.Y.Z");
    Ok(version)
}

/// Returns the version of the workspace. Fails if any other place states a different one, and lists all of them.
pub(super) fn current(root: &Path) -> Result<Version> {
    let mut manifest = toml(root, MANIFEST)?;
    let version = parse(workspace(&mut manifest)?.as_str().unwrap_or_default())?;
    let stale = stale(root, &version)?;
    ensure!(stale.is_empty(), "the version is {version}, but\n  {}", stale.join("\n  "));
    Ok(version)
}

/// Lists the places that state another version than this one.
pub(super) fn stale(root: &Path, version: &Version) -> Result<Vec<String>> {
    let mut stale = Vec::new();
    let mut compare = |place: &str, found: Option<&str>, wanted: &str| {
        if found != Some(wanted) {
            stale.push(format!("{place} has {}", found.unwrap_or("none")));
        }
    };
    let (exact, plain) = (format!("={version}"), version.to_string());
    for (name, value) in own_requirements(&mut toml(root, MANIFEST)?) {
        compare(&format!("{MANIFEST} ({name})"), value.as_str(), &exact);
    }
    let lock = toml(root, "Cargo.lock")?;
    let packages = lock.get("package").and_then(Item::as_array_of_tables).context("Cargo.lock has no packages")?;
    for package in packages.iter().filter(|package| !package.contains_key("source")) {
        let [name, version] = ["name", "version"].map(|key| package.get(key).and_then(Item::as_str));
        compare(&format!("Cargo.lock ({})", name.unwrap_or_default()), version, &plain);
    }
    for (file, pointer) in JSON {
        let json: Json = serde_json::from_str(&read(root, file)?).with_context(|| format!("cannot parse {file}"))?;
        compare(&format!("{file} ({pointer})"), json.pointer(pointer).and_then(Json::as_str), &plain);
    }
    compare(TYPESCRIPT, read(root, TYPESCRIPT)?.split('"').nth(1), &plain);
    Ok(stale)
}

/// Sets the version of the workspace, the versions that it requires of its own crates, and the npm package's constant.
pub(super) fn bump(root: &Path, version: &Version) -> Result<()> {
    let mut manifest = toml(root, MANIFEST)?;
    set(workspace(&mut manifest)?, version.to_string());
    for (_, value) in own_requirements(&mut manifest) {
        set(value, format!("={version}"));
    }
    let typescript = read(root, TYPESCRIPT)?;
    let (before, rest) = typescript.split_once('"').with_context(|| format!("{TYPESCRIPT} has no version"))?;
    let (_, after) = rest.split_once('"').with_context(|| format!("{TYPESCRIPT} has no version"))?;
    write(root, MANIFEST, &manifest.to_string())?;
    write(root, TYPESCRIPT, &format!("{before}\"{version}\"{after}"))
}

/// Returns the version in the root manifest.
fn workspace(manifest: &mut DocumentMut) -> Result<&mut Value> {
    let package = manifest.get_mut("workspace").and_then(|workspace| workspace.get_mut("package"));
    let version = package.and_then(|package| package.get_mut("version")?.as_value_mut());
    version.with_context(|| format!("{MANIFEST} has no version"))
}

/// Returns what the root manifest requires of its own crates: the dependencies with a path and a version.
fn own_requirements(manifest: &mut DocumentMut) -> Vec<(String, &mut Value)> {
    let workspace = manifest.get_mut("workspace").and_then(|workspace| workspace.get_mut("dependencies"));
    let dependencies = workspace.and_then(Item::as_table_like_mut).into_iter().flat_map(|table| table.iter_mut());
    let own = dependencies.filter(|(_, dependency)| dependency.get("path").is_some());
    own.filter_map(|(name, dependency)| Some((name.to_string(), dependency.get_mut("version")?.as_value_mut()?)))
        .collect()
}

/// Replaces a value and keeps the spaces and comments around it.
fn set(value: &mut Value, text: String) {
    let around = value.decor().clone();
    *value = text.into();
    *value.decor_mut() = around;
}

fn toml(root: &Path, file: &str) -> Result<DocumentMut> {
    read(root, file)?.parse().with_context(|| format!("cannot parse {file}"))
}

pub(super) fn write(root: &Path, file: &str, text: &str) -> Result<()> {
    fs::write(root.join(file), text).with_context(|| format!("cannot write {file}"))
}

pub(super) fn read(root: &Path, file: &str) -> Result<String> {
    fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_three_numbers() {
        assert_eq!(parse("1.20.3").unwrap(), Version::new(1, 20, 3));
        for text in ["", "1", "1.2", "v1.2.3", "1.2.3.4", "01.2.3", "1.2.x", "1.2.3-rc.1", "1.2.3+5", " 1.2.3"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bumps_the_workspace_and_its_own_crates_only() {
        let manifest = "# A workspace.\n[workspace.package]\nversion = \"0.1.0\" # all\n\n[workspace.dependencies]\n\
                        own = { path = \"own\", version = \"=0.1.0\" }\nbare = { path = \"bare\" }\n\
                        other = { version = \"=0.1.0\" }\nlast = \"0.1.0\"\n";
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("sdks/typescript/src")).unwrap();
        write(directory.path(), MANIFEST, manifest).unwrap();
        write(directory.path(), TYPESCRIPT, "/** It. */\nexport const version: string = \"0.1.0\";\n").unwrap();
        bump(directory.path(), &Version::new(0, 2, 0)).unwrap();
        let wanted = manifest.replacen("0.1.0", "0.2.0", 2);
        assert_eq!(read(directory.path(), MANIFEST).unwrap(), wanted);
        let constant = read(directory.path(), TYPESCRIPT).unwrap();
        assert_eq!(constant, "/** It. */\nexport const version: string = \"0.2.0\";\n");
    }
}
