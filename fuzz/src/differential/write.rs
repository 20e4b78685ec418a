//! Writes values of dynamic languages as JSON.

use std::fmt::Write as _;

use opencomputer_usage_core::host::json::ToJson as _;
use opencomputer_usage_core::host::value::{Raw, Text};

/// Writes a value. Lone surrogates become escapes, and infinity a number that every parser reads as infinity.
pub(super) fn json_of(value: &Raw) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Raw, out: &mut String) {
    match value {
        Raw::Null | Raw::Undefined | Raw::Other(_) => out.push_str("null"),
        Raw::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Raw::Number(number) => write_number(*number, out),
        Raw::Text(text) => write_text(text, out),
        Raw::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write(item, out);
            }
            out.push(']');
        }
        Raw::Map(members) => {
            out.push('{');
            for (index, (name, value)) in members.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write_text(name, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

/// Writes integers without a point: Python reads them as integers of any length.
#[allow(clippy::float_cmp, reason = "an integer equals its integer part")]
fn write_number(number: f64, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = match number {
        f64::INFINITY => write!(out, "1e999"),
        f64::NEG_INFINITY => write!(out, "-1e999"),
        _ if number == number.trunc() && number != 0.0 => write!(out, "{number}"),
        _ => write!(out, "{number:?}"),
    };
}

fn write_text(text: &Text, out: &mut String) {
    let points = match text {
        Text::Unicode(text) => return text.write_json(out),
        Text::Broken(points) => points,
    };
    out.push('"');
    for point in points {
        match char::from_u32(*point) {
            Some(c) if c.is_ascii() => {
                let _ = write!(out, "\\u{point:04x}");
            }
            Some(c) => out.push(c),
            None => {
                let _ = write!(out, "\\u{point:04x}");
            }
        }
    }
    out.push('"');
}
