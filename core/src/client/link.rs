//! The header `Link` (RFC 8288), which refers to the next page of a list.

use super::Answer;

impl Answer {
    /// Returns the cursor in the link to the next page, if there is such a link.
    ///
    /// Only the query of the target counts, so a relative reference need not be resolved.
    pub(super) fn next_cursor(&self) -> Result<Option<String>, String> {
        let mut headers = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("link"));
        let Some(target) = headers.find_map(|(_, value)| next_target(value)) else {
            return Ok(None);
        };
        let reference = target.split_once('#').map_or(target, |(reference, _)| reference);
        let query = reference.split_once('?').map_or("", |(_, query)| query);
        // A cursor has no characters that need an encoding.
        let cursor = query.split('&').find_map(|parameter| parameter.strip_prefix("cursor="));
        cursor.map(|cursor| Some(cursor.to_owned())).ok_or_else(|| "its link to the next page has no cursor".to_owned())
    }
}

/// Returns the target of the first link to the next page.
fn next_target(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let (target, after) = rest.split_once('<')?.1.split_once('>')?;
        let (is_next, after) = parameters(after);
        if is_next {
            return Some(target);
        }
        rest = after;
    }
}

/// Reads the parameters of a link. Returns whether they make it a link to the next page, and the text after them.
fn parameters(mut rest: &str) -> (bool, &str) {
    let mut relation = None;
    let mut is_elsewhere = false;
    while let Some(after) = rest.trim_start().strip_prefix(';') {
        let (name, value, after) = parameter(after);
        match name {
            // Of several relations in one link, the first counts.
            name if name.eq_ignore_ascii_case("rel") => relation = relation.or(Some(value)),
            // The link is that of another resource.
            name if name.eq_ignore_ascii_case("anchor") => is_elsewhere = true,
            _ => {}
        }
        rest = after;
    }
    let is_next = |types: String| types.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case("next"));
    (relation.is_some_and(is_next) && !is_elsewhere, rest)
}

/// Reads one parameter. Returns its name, its value and the text after it.
fn parameter(text: &str) -> (&str, String, &str) {
    let text = text.trim_start();
    let (name, rest) = text.split_at(text.find(['=', ';', ',']).unwrap_or(text.len()));
    let Some(value) = rest.strip_prefix('=').map(str::trim_start) else {
        return (name.trim_end(), String::new(), rest);
    };
    let Some(quoted) = value.strip_prefix('"') else {
        let (value, rest) = value.split_at(value.find([';', ',']).unwrap_or(value.len()));
        return (name.trim_end(), value.trim_end().to_owned(), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => value.extend(characters.next()),
            other => value.push(other),
        }
    }
    (name.trim_end(), value, characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_link_to_the_next_page() {
        for (header, target) in [
            ("<?a=1>; rel=\"next\"", Some("?a=1")),
            ("<?a=1>;rel=next", Some("?a=1")),
            ("<?a=1> ; title=\"x\" ; REL = \"prev NEXT\"", Some("?a=1")),
            ("</first>; rel=\"first\", <?b=2>; rel=\"next\"", Some("?b=2")),
            ("<?a=1,2>; title=\"a, <?no>; rel=\\\"next\\\"\"; rel=prev, <?b=2>; rel=next", Some("?b=2")),
            ("<?a=1>; rel=prev; rel=next", None),
            ("<?a=1>; rel=next; anchor=\"#other\"", None),
            ("<?a=1>; rel=\"nextpage\"", None),
            ("<?a=1>; rel", None),
            ("<?a=1>", None),
            ("<?a=1; rel=next", None),
            ("", None),
        ] {
            assert_eq!(next_target(header), target, "{header}");
        }
    }
}
