//! Checks the dependencies that the lock files name, without a database: their sources, checksums and licenses.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};
use toml_edit::{DocumentMut, Item};

/// The folders whose npm packages are published or embedded, so that licenses are checked, too.
const SHIPPED: [&str; 2] = ["sdks/typescript", "dashboard"];
const NPM_LOCK: &str = "package-lock.json";
const DEPENDABOT: &str = ".github/dependabot.yml";
/// The rules for licenses and banned crates, which cargo-deny also reads.
const RULES: &str = "deny.toml";
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
const NPM_REGISTRY: &str = "https://registry.npmjs.org/";

/// Fails if dependencies break a rule, and lists all violations.
pub fn run(root: &Path) -> Result<()> {
    let rules = Rules::parse(&read(root, RULES)?)?;
    let mut faults = rules.crates(&metadata(root)?);
    faults.extend(checksums(&read(root, "Cargo.lock")?));
    let mut locks = Vec::new();
    find(root, "", &mut locks)?;
    let watched = read(root, DEPENDABOT)?;
    for file in &locks {
        let text = read(root, file)?;
        let mut found = if file.ends_with(NPM_LOCK) {
            let lock = serde_json::from_str(&text).with_context(|| format!("cannot parse {file}"))?;
            rules.packages(&lock, SHIPPED.contains(&folder(file)))
        } else {
            requirements(&text)
        };
        if !watched.split([' ', ',', '[', ']']).any(|path| path.strip_prefix('/') == Some(folder(file))) {
            found.push(format!("{DEPENDABOT} does not list its folder"));
        }
        faults.extend(found.into_iter().map(|fault| format!("{file}: {fault}")));
    }
    if faults.is_empty() {
        println!("dependencies: {} lock files follow the rules", 1 + locks.len());
        return Ok(());
    }
    bail!("dependencies break the rules of {RULES}:\n  {}", faults.join("\n  "))
}

fn read(root: &Path, file: &str) -> Result<String> {
    fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))
}

/// Adds the lock files of npm and pip in a folder to `found`, except those of installed packages.
fn find(root: &Path, folder: &str, found: &mut Vec<String>) -> Result<()> {
    let path = root.join(folder);
    for entry in fs::read_dir(&path).with_context(|| format!("cannot list {}", path.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let file = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let is_installed = matches!(&*name, "node_modules" | "target") || name.starts_with('.') && name != ".github";
        if entry.file_type()?.is_dir() && !is_installed {
            find(root, &file, found)?;
        } else if name == NPM_LOCK || name.starts_with("requirements") {
            found.push(file);
        }
    }
    Ok(())
}

/// Returns the folder of a file; that of the root is empty.
fn folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn metadata(root: &Path) -> Result<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--format-version", "1"]).current_dir(root).stderr(Stdio::inherit());
    let output = cargo.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", output.status);
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

struct Rules {
    licenses: Vec<String>,
    banned: Vec<String>,
}

impl Rules {
    fn parse(text: &str) -> Result<Self> {
        let rules: DocumentMut = text.parse().with_context(|| format!("cannot parse {RULES}"))?;
        let list = |table: &str, key: &str| {
            let names = rules.get(table).and_then(|table| table.get(key)).and_then(Item::as_array);
            let names = names.with_context(|| format!("{RULES} has no list `{table}.{key}`"))?;
            let text = names.iter().map(|name| name.as_str().map(str::to_owned));
            text.collect::<Option<Vec<_>>>()
                .with_context(|| format!("`{table}.{key}` in {RULES} is not a list of names"))
        };
        Ok(Self { licenses: list("licenses", "allow")?, banned: list("bans", "deny")? })
    }

    /// Checks the sources and licenses of crates.
    fn crates(&self, metadata: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        for package in metadata["packages"].as_array().into_iter().flatten() {
            let [name, source, license] = ["name", "source", "license"].map(|member| package[member].as_str());
            let name = name.unwrap_or_default();
            if source.is_some_and(|source| source != CRATES_IO) {
                faults.push(format!("{name} does not come from crates.io"));
            }
            if self.banned.iter().any(|banned| banned == name) {
                faults.push(format!("{name} is banned"));
            }
            let license = license.unwrap_or("none");
            if !self.allows(license) {
                faults.push(format!("{name} has the license {license}"));
            }
        }
        faults
    }

    /// Checks a lock file of npm.
    fn packages(&self, lock: &Value, is_shipped: bool) -> Vec<String> {
        let mut faults = Vec::new();
        for (path, package) in lock["packages"].as_object().into_iter().flatten().filter(|(path, _)| !path.is_empty()) {
            if !package["integrity"].as_str().is_some_and(|integrity| integrity.starts_with("sha512-")) {
                faults.push(format!("{path} has no SHA-512"));
            }
            if package["resolved"].as_str().is_some_and(|url| !url.starts_with(NPM_REGISTRY)) {
                faults.push(format!("{path} does not come from the registry"));
            }
            let license = package["license"].as_str().unwrap_or("none");
            if is_shipped && package["dev"] != true && !self.allows(license) {
                faults.push(format!("{path} has the license {license}"));
            }
        }
        faults
    }

    /// Returns whether an SPDX expression can be met with allowed licenses. Old crates write `/` for `OR`.
    fn allows(&self, expression: &str) -> bool {
        let expression = expression.replace('/', " OR ").replace(['(', ')'], "");
        let is_allowed = |license: &str| self.licenses.iter().any(|allowed| allowed == license.trim());
        expression.split(" AND ").all(|part| part.split(" OR ").any(is_allowed))
    }
}

/// Checks that `Cargo.lock` has a checksum of every crate from a registry.
fn checksums(lock: &str) -> Vec<String> {
    let foreign = lock.split("[[package]]").filter(|package| package.contains("\nsource = "));
    let without = foreign.filter(|package| !package.contains("\nchecksum = \""));
    without.map(|package| format!("Cargo.lock: {} has no checksum", package.trim().replace('\n', " "))).collect()
}

/// Checks that every requirement of pip has one version.
fn requirements(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let is_pinned = |line: &str| {
        let requirement = line.split(';').next().unwrap_or_default().trim();
        let is_text = |text: &str| {
            !text.is_empty()
                && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '[' | ']'))
        };
        requirement.split_once("==").is_some_and(|(name, version)| is_text(name) && is_text(version))
    };
    lines.filter(|line| !is_pinned(line)).map(|line| format!("`{line}` is not pinned to one version")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rules() -> Rules {
        let licenses = r#"allow = ["MIT", "Apache-2.0", "Unicode-3.0"]"#;
        Rules::parse(&format!("[licenses]\n{licenses}\n[bans]\ndeny = [\"openssl-sys\"]")).unwrap()
    }

    #[test]
    fn rules_without_a_list_of_names_are_rejected() {
        for text in ["", "[licenses]\nallow = []", "[licenses]\nallow = [1]\n[bans]\ndeny = []", "[licenses"] {
            assert!(Rules::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn licenses_are_allowed_if_each_part_has_an_allowed_alternative() {
        for (expression, wanted) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0-only OR MIT", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("MIT AND GPL-3.0-only", false),
            ("AGPL-3.0-only", false),
            ("none", false),
        ] {
            assert_eq!(rules().allows(expression), wanted, "{expression}");
        }
    }

    #[test]
    fn foreign_banned_and_unlicensed_crates_are_reported() {
        let own = json!({ "name": "own", "source": null, "license": "MIT" });
        let good = json!({ "name": "good", "source": CRATES_IO, "license": "MIT" });
        let banned = json!({ "name": "openssl-sys", "source": CRATES_IO, "license": "MIT" });
        let foreign = json!({ "name": "foreign", "source": "git+https://example.com/x", "license": null });
        let faults = rules().crates(&json!({ "packages": [own, good, banned, foreign] }));
        assert_eq!(
            faults,
            ["openssl-sys is banned", "foreign does not come from crates.io", "foreign has the license none"]
        );
    }

    #[test]
    fn packages_without_a_checksum_or_from_elsewhere_are_reported() {
        let good = json!({ "integrity": "sha512-x", "resolved": "https://registry.npmjs.org/a", "license": "MIT" });
        let weak = json!({ "integrity": "sha1-x", "license": "MIT" });
        let elsewhere =
            json!({ "integrity": "sha512-x", "resolved": "git+ssh://x", "license": "GPL-3.0", "dev": true });
        let unlicensed = json!({ "integrity": "sha512-x" });
        let lock = json!({ "packages": { "": {}, "good": good, "weak": weak, "far": elsewhere, "own": unlicensed } });
        let (weak, far) = ("weak has no SHA-512", "far does not come from the registry");
        assert_eq!(rules().packages(&lock, true), [weak, far, "own has the license none"]);
        assert_eq!(rules().packages(&lock, false), [weak, far]);
        assert_eq!(checksums("[[package]]\nname = \"a\"\nsource = \"b\"\n\n[[package]]\nname = \"own\"\n").len(), 1);
        assert_eq!(checksums("[[package]]\nname = \"a\"\nsource = \"b\"\nchecksum = \"c\"\n").len(), 0);
    }

    #[test]
    fn requirements_that_are_not_pinned_are_reported() {
        assert!(requirements("# packages\na==1\n\nb[c]==2.0.1; python_version < \"3.11\"\n").is_empty());
        for line in ["a", "a>=1", "a==1.*", "a~=1", "git+https://x/a", "a @ https://x/a==1", "-e .", "--index-url=x==1"]
        {
            assert_eq!(requirements(line).len(), 1, "{line}");
        }
    }
}
