//! All SQL of an engine stands in one list, so that a test can walk it.

/// Names statements, and lists them all as `ALL`.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub(super) const $name: &str = $sql;)*

        /// Every statement that this engine can issue once its schema stands.
        pub(in crate::store) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

pub(super) use statements;

/// Where a query's filters are put into a statement.
pub(super) const FILTERS: &str = "/* filters */";
/// Where filters for the lack of a tag are put, if they have a place of their own.
pub(super) const ABSENCES: &str = "/* absences */";
/// Where the tags that are grouped by are restricted to the sandboxes in question.
pub(super) const TAGGED: &str = "/* tagged */";
