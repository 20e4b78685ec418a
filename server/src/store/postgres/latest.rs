//! The latest sessions of sandboxes.

use opencomputer_usage_core::usage::dimension::Dimension;

use crate::store::statements::Placeholder;

/// Composes the latest session of each sandbox, or of a few, with null for empty values.
///
/// A backward scan of the index on sandbox and start yields the order, so only sessions with the same start are sorted,
/// by id. The subquery keeps that order; a `DISTINCT` directly on the table would sort all sessions. A few sandboxes
/// are looked up one by one, because the scan would read all sessions.
pub(super) fn latest_sessions(org: Placeholder, few: Option<Placeholder>) -> String {
    let columns = [Dimension::Template, Dimension::Region, Dimension::Status].map(|dimension| {
        let column = dimension.kind();
        format!(r#"nullif(session.{column}::text COLLATE "C", '') AS {column}"#)
    });
    let columns = columns.join(", ");
    if let Some(ids) = few {
        return format!(
            r#"SELECT few.sandbox_id COLLATE "C" AS sandbox_id, template, region, status
                 FROM unnest({ids}::text[]) AS few (sandbox_id) CROSS JOIN LATERAL (
                     SELECT {columns} FROM sandbox_sessions AS session
                     WHERE session.org_id = {org} AND session.sandbox_id COLLATE "C" = few.sandbox_id
                     ORDER BY session.started_at DESC, session.id DESC LIMIT 1) AS session"#
        );
    }
    format!(
        r#"SELECT DISTINCT ON (sandbox_id) sandbox_id, template, region, status FROM (
                 SELECT session.sandbox_id COLLATE "C" AS sandbox_id, session.started_at, session.id, {columns}
                 FROM sandbox_sessions AS session WHERE session.org_id = {org}
                 ORDER BY session.sandbox_id COLLATE "C" DESC, session.started_at DESC, session.id DESC LIMIT ALL) AS session
             ORDER BY sandbox_id DESC, started_at DESC, id DESC"#
    )
}
