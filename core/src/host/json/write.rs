//! Writes JSON.

use std::convert::Infallible;
use std::fmt::Write as _;

/// Types that can be written as JSON, the form of results for JavaScript and Python.
pub trait ToJson {
    /// Appends the JSON text.
    fn write_json(&self, out: &mut String);

    /// Returns the JSON text.
    fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn write_json(&self, out: &mut String) {
        (**self).write_json(out);
    }
}

impl ToJson for str {
    fn write_json(&self, out: &mut String) {
        out.push('"');
        let mut rest = self;
        while let Some(at) = rest.bytes().position(|byte| matches!(byte, 0..b' ' | b'"' | b'\\')) {
            let (plain, special) = rest.split_at(at);
            out.push_str(plain);
            let mut after = special.chars();
            match after.next().unwrap_or_default() {
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c @ '\0'..' ' => {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{:04x}", u32::from(c));
                }
                c => {
                    out.push('\\');
                    out.push(c);
                }
            }
            rest = after.as_str();
        }
        out.push_str(rest);
        out.push('"');
    }
}

impl ToJson for String {
    fn write_json(&self, out: &mut String) {
        self.as_str().write_json(out);
    }
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl ToJson for $type {
            fn write_json(&self, out: &mut String) {
                let _ = write!(out, "{self}");
            }
        }
    )*};
}

integers! { i64 u16 u64 usize }

impl<T: ToJson> ToJson for Option<T> {
    fn write_json(&self, out: &mut String) {
        match self {
            Some(value) => value.write_json(out),
            None => out.push_str("null"),
        }
    }
}

/// Writes a pair as a list of two.
impl<T: ToJson, U: ToJson> ToJson for (T, U) {
    fn write_json(&self, out: &mut String) {
        let Ok(()) = sequence(out, ['[', ']'], [&self.0 as &dyn ToJson, &self.1], |out, item| {
            item.write_json(out);
            Ok::<_, Infallible>(())
        });
    }
}

impl<T: ToJson> ToJson for [T] {
    fn write_json(&self, out: &mut String) {
        let Ok(()) = sequence(out, ['[', ']'], self, |out, item| {
            item.write_json(out);
            Ok::<_, Infallible>(())
        });
    }
}

/// Writes items between brackets, separated by commas.
pub(crate) fn sequence<T, E>(
    out: &mut String,
    [open, close]: [char; 2],
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T) -> Result<(), E>,
) -> Result<(), E> {
    out.push(open);
    let mut items = items.into_iter();
    if let Some(first) = items.next() {
        write(out, first)?;
    }
    for item in items {
        out.push(',');
        write(out, item)?;
    }
    out.push(close);
    Ok(())
}

impl<T: ToJson> ToJson for Vec<T> {
    fn write_json(&self, out: &mut String) {
        self.as_slice().write_json(out);
    }
}

/// Appends an object.
pub(crate) fn object(out: &mut String, members: &[(&str, &dyn ToJson)]) {
    entries(out, members.iter().map(|(name, value)| (*name, value)));
}

/// Appends an object of such values.
pub(crate) fn entries<'a, T: ToJson>(out: &mut String, entries: impl IntoIterator<Item = (&'a str, T)>) {
    let Ok(()) = sequence(out, ['{', '}'], entries, |out, (name, value)| {
        name.write_json(out);
        out.push(':');
        value.write_json(out);
        Ok::<_, Infallible>(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn writes_strings_as_serde_json_does(text in any::<String>()) {
            prop_assert_eq!(text.to_json(), serde_json::to_string(&text).unwrap());
        }
    }
}
