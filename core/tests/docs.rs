//! The documentation says what the core does.

use opencomputer_usage_core::Code;

#[test]
fn the_table_of_errors_in_the_docs_is_the_table_of_the_core() {
    let page = include_str!("../../docs/api/errors.md");
    let documented: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let row = |code: &Code| format!("| `{}` | {} | {} |", code.as_str(), code.status(), code.meaning());
    assert_eq!(documented, Code::ALL.iter().map(row).collect::<Vec<_>>());
}
