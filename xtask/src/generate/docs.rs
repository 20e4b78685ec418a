//! The tables of error codes and limits in the documentation.

use opencomputer_usage_core::{Code, limits};

/// Returns the table of these error codes.
pub fn codes(codes: &[Code]) -> String {
    let row = |code: &Code| format!("| `{}` | {} | {} |\n", code.as_str(), code.status(), code.meaning());
    let rows: String = codes.iter().map(row).collect();
    format!("\n| code | status | meaning |\n|---|---|---|\n{rows}\n")
}

/// Returns the table of limits.
pub fn limits() -> String {
    let row = |limit: &limits::Limit| {
        format!("| `{}` | {} | {} |\n", limit.name, grouped(limit.value), limit.docs.trim().trim_end_matches('.'))
    };
    let rows: String = limits::TABLE.iter().map(row).collect();
    format!("\n| name in `LIMITS` | value | meaning |\n|---|---|---|\n{rows}\n")
}

/// Formats a number with a comma between groups of three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_digits_by_three() {
        assert_eq!([7, 128, 1_000, 262_144].map(grouped), ["7", "128", "1,000", "262,144"]);
    }
}
