//! The release of a small workspace in a repository of its own.

use super::*;
use std::fs;
use tempfile::TempDir;

const FILES: [(&str, &str); 9] = [
    (
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"core\", \"sdk\"]\n\n[workspace.package]\nversion = \"0.1.0\"\n\n\
         [workspace.dependencies]\ncore-of-it = { path = \"core\", version = \"=0.1.0\" }\n",
    ),
    ("core/Cargo.toml", "[package]\nname = \"core-of-it\"\nversion.workspace = true\n"),
    (
        "sdk/Cargo.toml",
        "[package]\nname = \"sdk\"\nversion.workspace = true\n\n[dependencies]\ncore-of-it.workspace = true\n",
    ),
    ("sdks/typescript/package.json", "{\n  \"name\": \"sdk\",\n  \"version\": \"0.1.0\",\n  \"private\": true\n}\n"),
    (
        "sdks/typescript/package-lock.json",
        "{\n  \"name\": \"sdk\",\n  \"version\": \"0.1.0\",\n  \"lockfileVersion\": 3,\n  \"requires\": true,\n  \
         \"packages\": {\n    \"\": {\n      \"name\": \"sdk\",\n      \"version\": \"0.1.0\"\n    }\n  }\n}\n",
    ),
    ("docs/openapi.json", "{ \"info\": { \"version\": \"0.1.0\" } }\n"),
    ("sdks/typescript/src/version.ts", "export const version: string = \"0.1.0\";\n"),
    ("docs/start.md", "Install 0.1.0, not 10.1.0.\n"),
    ("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n\n- A thing.\n"),
];

struct Repository(TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        for (file, text) in FILES {
            repository.write(file, text);
        }
        for member in ["core", "sdk"] {
            repository.write(&format!("{member}/src/lib.rs"), "");
        }
        run_command(
            Command::new(env!("CARGO")).args(["generate-lockfile", "--offline"]).current_dir(repository.root()),
        )
        .unwrap();
        repository.git(&["init", "--quiet"]);
        repository.commit();
        repository
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.root().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn replace(&self, file: &str, from: &str, to: &str) {
        let text = version::read(self.root(), file).unwrap();
        assert!(text.contains(from), "{file}: {text}");
        self.write(file, &text.replace(from, to));
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        let author = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
        self.git(&[&author[..], &["commit", "--quiet", "--message", "x"]].concat());
    }

    fn git(&self, arguments: &[&str]) {
        run_command(Command::new("git").args(arguments).current_dir(self.root())).unwrap();
    }

    fn refusal(&self, version: &str) -> String {
        format!("{:#}", plan(self.root(), version).err().unwrap())
    }
}

#[test]
fn edits_every_place_that_is_not_generated() {
    let repository = Repository::new();
    let plan = plan(repository.root(), "0.2.0").unwrap();
    assert_eq!(plan.notes().unwrap(), "- A thing.");
    edit(repository.root(), &plan).unwrap();
    let stale = version::stale(repository.root(), &plan.to).unwrap();
    assert_eq!(stale, ["docs/openapi.json (/info/version) has 0.1.0"]);
    let mentions = mentions(repository.root(), &plan.from, &plan.to).unwrap();
    assert_eq!(
        mentions,
        ["docs/openapi.json:1:{ \"info\": { \"version\": \"0.1.0\" } }", "docs/start.md:1:Install 0.1.0, not 10.1.0."]
    );

    repository.replace("docs/openapi.json", "0.1.0", "0.2.0");
    check(repository.root(), Some("v0.2.0")).unwrap();
    let error = check(repository.root(), Some("v0.3.0")).unwrap_err();
    assert_eq!(error.to_string(), "the tag is v0.3.0, but the version is 0.2.0");
}

#[test]
fn the_first_release_may_keep_its_version() {
    let repository = Repository::new();
    let plan = plan(repository.root(), "0.1.0").unwrap();
    edit(repository.root(), &plan).unwrap();
    check(repository.root(), Some("v0.1.0")).unwrap();
    assert!(mentions(repository.root(), &plan.from, &plan.to).unwrap().is_empty());
}

#[test]
fn rejects_malformed_lower_and_released_versions() {
    let repository = Repository::new();
    assert!(repository.refusal("1.0").contains("`1.0` is not a version"));
    assert_eq!(repository.refusal("0.0.9"), "0.0.9 is lower than the version 0.1.0");
    repository.replace("CHANGELOG.md", "- A thing.\n", "- A thing.\n\n## [0.3.0] - 2026-01-01\n\n- Old.\n");
    repository.commit();
    assert_eq!(repository.refusal("0.3.0"), "0.3.0 is not higher than the released 0.3.0");
    plan(repository.root(), "0.3.1").unwrap();
}

#[test]
fn rejects_a_tree_with_changes_and_an_empty_changelog() {
    let repository = Repository::new();
    repository.write("new", "");
    assert!(repository.refusal("0.2.0").contains("the tree has changes, commit them first:\n?? new"));
    repository.replace("CHANGELOG.md", "- A thing.\n", "");
    repository.commit();
    assert_eq!(repository.refusal("0.2.0"), "CHANGELOG.md has no changes under `Unreleased`");
}

#[test]
fn a_tag_needs_changes_of_its_version() {
    let repository = Repository::new();
    check(repository.root(), None).unwrap();
    let error = check(repository.root(), Some("v0.1.0")).unwrap_err();
    assert_eq!(error.to_string(), "CHANGELOG.md has no changes of 0.1.0");
}

#[test]
fn reports_every_place_with_another_version() {
    let repository = Repository::new();
    repository.replace(
        "sdks/typescript/package-lock.json",
        "      \"version\": \"0.1.0\"",
        "      \"version\": \"0.1.1\"",
    );
    repository.replace("Cargo.toml", "path = \"core\", version = \"=0.1.0\"", "path = \"core\", version = \"=0.0.1\"");
    repository.replace("docs/openapi.json", "version", "title");
    let error = check(repository.root(), None).unwrap_err().to_string();
    assert_eq!(
        error,
        "the version is 0.1.0, but\n  Cargo.toml (core-of-it) has =0.0.1\n  \
         docs/openapi.json (/info/version) has none\n  \
         sdks/typescript/package-lock.json (/packages//version) has 0.1.1"
    );
}
