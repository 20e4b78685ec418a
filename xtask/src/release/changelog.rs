//! The sections of `CHANGELOG.md`, in the format of Keep a Changelog.

use anyhow::{Context as _, Result, ensure};
use semver::Version;

const UNRELEASED: &str = "## [Unreleased]";

/// Returns the newest version that has a section.
pub(super) fn newest(changelog: &str) -> Option<Version> {
    let headings = changelog.lines().filter_map(|line| line.strip_prefix("## [")?.split(']').next());
    headings.filter_map(|name| Version::parse(name).ok()).max()
}

/// Moves what is unreleased to a section of this version and date.
pub(super) fn release(changelog: &str, version: &Version, date: &str) -> Result<String> {
    let (start, end) = section(changelog, UNRELEASED).context("CHANGELOG.md has no section `Unreleased`")?;
    let (before, rest) = changelog.split_at_checked(start).context("a section starts within a character")?;
    let (changes, after) = rest.split_at_checked(end - start).context("a section ends within a character")?;
    ensure!(has_changes(changes), "CHANGELOG.md has no changes under `Unreleased`");
    let changes = changes.trim();
    let after = if after.is_empty() { String::new() } else { format!("\n{after}") };
    Ok(format!("{before}\n## [{version}] - {date}\n\n{changes}\n{after}"))
}

/// Returns the changes of a released version.
pub(super) fn notes<'a>(changelog: &'a str, version: &Version) -> Result<&'a str> {
    let section = section(changelog, &format!("## [{version}] - "));
    let changes = section.and_then(|(start, end)| changelog.get(start..end)).unwrap_or_default();
    ensure!(has_changes(changes), "CHANGELOG.md has no changes of {version}");
    Ok(changes.trim())
}

fn has_changes(section: &str) -> bool {
    section.lines().any(|line| line.starts_with("- "))
}

/// Returns the start and end of the text below a heading that starts like this.
fn section(changelog: &str, heading: &str) -> Option<(usize, usize)> {
    let mut at = 0;
    let lines = changelog.split_inclusive('\n').map(|line| {
        let start = at;
        at += line.len();
        (start, at, line)
    });
    let mut lines = lines.skip_while(|(.., line)| !line.starts_with(heading));
    let (_, start, _) = lines.next()?;
    let end = lines.find(|(.., line)| line.starts_with("## ")).map_or(changelog.len(), |(at, ..)| at);
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGELOG: &str = "# Changelog\n\n## [Unreleased]\n\n### Added\n\nCore\n- One thing,\n  in two lines.\n\n\
                             ## [0.9.0] - 2026-01-02\n\n### Fixed\n\n- Another.\n\n## [0.10.0] - 2026-01-01\n\n- Old.\n";

    #[test]
    fn finds_the_newest_version_by_number() {
        assert_eq!(newest(CHANGELOG), Some(Version::new(0, 10, 0)));
        assert_eq!(newest("# Changelog\n\n## [Unreleased]\n"), None);
    }

    #[test]
    fn moves_unreleased_changes_and_leaves_an_empty_section() {
        let released = release(CHANGELOG, &Version::new(1, 0, 0), "2026-02-03").unwrap();
        assert_eq!(released, CHANGELOG.replace("## [Unreleased]\n", "## [Unreleased]\n\n## [1.0.0] - 2026-02-03\n"),);
        let error = release(&released, &Version::new(1, 0, 1), "2026-02-04").unwrap_err();
        assert_eq!(error.to_string(), "CHANGELOG.md has no changes under `Unreleased`");
        assert_eq!(
            notes(&released, &Version::new(1, 0, 0)).unwrap(),
            "### Added\n\nCore\n- One thing,\n  in two lines."
        );
    }

    #[test]
    fn moves_the_only_section() {
        let released = release("# Log\n\n## [Unreleased]\n- é\n", &Version::new(0, 1, 0), "2026-02-03").unwrap();
        assert_eq!(released, "# Log\n\n## [Unreleased]\n\n## [0.1.0] - 2026-02-03\n\n- é\n");
    }

    #[test]
    fn rejects_a_missing_or_empty_section() {
        for changelog in
            ["# Log\n", "# Log\n\n## [Unreleased]\n\n### Added\n", "## [Unreleased]\n## [0.1.0] - x\n- a\n"]
        {
            assert!(release(changelog, &Version::new(1, 0, 0), "2026-02-03").is_err(), "{changelog}");
        }
    }

    #[test]
    fn notes_belong_to_exactly_one_version() {
        assert_eq!(notes(CHANGELOG, &Version::new(0, 10, 0)).unwrap(), "- Old.");
        for version in [Version::new(0, 1, 0), Version::new(0, 10, 1), Version::new(9, 0, 0)] {
            assert!(notes(CHANGELOG, &version).is_err(), "{version}");
        }
    }
}
