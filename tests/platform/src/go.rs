//! JSON and times as Go's standard library writes them.

use std::io;

use chrono::DateTime;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::store::{HOUR, SECOND};

/// Returns JSON as `encoding/json` writes it.
pub(crate) fn encode(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    // Writing to memory fails only for maps whose keys are not strings; there are none.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut bytes, Go));
    String::from_utf8(bytes).unwrap_or_default()
}

/// Returns a UTC time in whole seconds.
pub(crate) fn seconds(micros: i64) -> String {
    clock(micros) + "Z"
}

/// Returns a UTC time with three digits of fraction.
pub(crate) fn milliseconds(micros: i64) -> String {
    format!("{}.{:03}Z", clock(micros), micros.rem_euclid(SECOND) / 1000)
}

/// Returns a time as `time.Time` marshals itself: in its own zone, without the zeros at the end of the fraction.
pub(crate) fn nanoseconds(micros: i64, hours_west: i64) -> String {
    let fraction = format!(".{:06}", micros.rem_euclid(SECOND));
    let zone = if hours_west == 0 { "Z".to_owned() } else { format!("-{hours_west:02}:00") };
    let clock = clock(micros - hours_west * HOUR);
    clock + fraction.trim_end_matches('0').trim_end_matches('.') + &zone
}

/// Returns a date and a time of day, without a fraction and a zone.
fn clock(micros: i64) -> String {
    let time = DateTime::from_timestamp(micros.div_euclid(SECOND), 0).unwrap_or_default();
    format!("{:?}", time.naive_utc())
}

struct Go;

impl Formatter for Go {
    fn write_f64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        if value != 0.0 && !(1e-6..1e21).contains(&value.abs()) {
            let text = format!("{value:e}");
            let signed = if value.abs() < 1.0 { text } else { text.replace('e', "e+") };
            return writer.write_all(signed.as_bytes());
        }
        write!(writer, "{value}")
    }

    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for character in fragment.chars() {
            match character {
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => write!(writer, "\\u{:04x}", u32::from(character))?,
                _ => write!(writer, "{character}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_have_no_trailing_zero_and_a_signed_exponent() {
        let numbers = json!([240.0, 0.0, -0.5, 1e-6, 1e-7, 9.765_625e-10, 1e20, 1e21, 1.5e21, -1.5e21, 7]);
        let expected = "[240,0,-0.5,0.000001,1e-7,9.765625e-10,100000000000000000000,1e+21,1.5e+21,-1.5e+21,7]";
        assert_eq!(encode(&numbers), expected);
    }

    #[test]
    fn strings_are_escaped_for_html() {
        assert_eq!(
            encode(&json!({ "a<b": "x > y & \"z\"\u{2028}é\n" })),
            r#"{"a\u003cb":"x \u003e y \u0026 \"z\"\u2028é\n"}"#
        );
    }

    #[test]
    fn times_have_the_digits_of_their_layout() {
        let micros = 1_779_843_600_941_120;
        assert_eq!(seconds(micros), "2026-05-27T01:00:00Z");
        assert_eq!(milliseconds(micros), "2026-05-27T01:00:00.941Z");
        assert_eq!(milliseconds(micros - 941_120), "2026-05-27T01:00:00.000Z");
        assert_eq!(nanoseconds(micros, 0), "2026-05-27T01:00:00.94112Z");
        assert_eq!(nanoseconds(micros, 8), "2026-05-26T17:00:00.94112-08:00");
        assert_eq!(nanoseconds(micros - 941_120, 8), "2026-05-26T17:00:00-08:00");
    }
}
