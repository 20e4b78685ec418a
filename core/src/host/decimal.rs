//! Decimal numbers as text: their canonical form, and a check that they fit into a double, without converting them.

/// The first digits of the smallest number, with 309 digits before the point, that rounds to infinity.
const INFINITE: &str = "1797693134862315807937289714053";

/// A number as `±0.DIGITS × 10^point`.
pub(crate) struct Decimal {
    negative: bool,
    /// The digits without leading and trailing zeros; empty for zero.
    digits: String,
    point: i64,
}

impl Decimal {
    /// Parses a number in the notation of JSON or a host's language; `None` for other text.
    pub(crate) fn read(number: &str) -> Option<Self> {
        let (negative, number) = number.strip_prefix('-').map_or((false, number), |number| (true, number));
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = all.trim_start_matches('0');
        // A saturated exponent is beyond every double, too.
        let huge = if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
        let exponent = exponent.parse().unwrap_or(huge);
        let point = exponent
            .saturating_add_unsigned(whole.len() as u64)
            .saturating_sub_unsigned((all.len() - digits.len()) as u64);
        Some(Self { negative, digits: digits.trim_end_matches('0').to_owned(), point })
    }

    /// Returns whether the number rounds to a finite double.
    pub(crate) fn is_finite(&self) -> bool {
        self.digits.is_empty() || self.point < 309 || self.point == 309 && self.digits.as_str() < INFINITE
    }

    /// Formats the number as Rust does: `8000.0`, `1e-7`.
    pub(crate) fn write(&self) -> String {
        let digits = self.digits.as_str();
        let sign = if self.negative { "-" } else { "" };
        match (usize::try_from(self.point), self.point) {
            _ if digits.is_empty() => format!("{sign}0.0"),
            (Ok(point @ 1..=16), _) => match digits.split_at_checked(point) {
                Some((whole, fraction)) if !fraction.is_empty() => format!("{sign}{whole}.{fraction}"),
                _ => format!("{sign}{digits:0<point$}.0"),
            },
            (_, -3..=0) => {
                let width = digits.len() + usize::try_from(-self.point).unwrap_or_default();
                format!("{sign}0.{digits:0>width$}")
            }
            _ => {
                let (first, rest) = digits.split_at_checked(1).unwrap_or_default();
                let dot = if rest.is_empty() { "" } else { "." };
                format!("{sign}{first}{dot}{rest}e{}", self.point - 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_is_written_the_same_however_a_host_writes_it(bits in any::<u64>(), whole in any::<i32>()) {
            for number in [f64::from_bits(bits), f64::from(whole), f64::from(whole) / 1024.0] {
                prop_assume!(number.is_finite());
                for text in [format!("{number}"), format!("{number:?}"), format!("{number:e}"), format!("{number:E}")] {
                    prop_assert_eq!(Decimal::read(&text).unwrap().write(), format!("{number:?}"));
                }
            }
        }

        #[test]
        fn a_number_is_finite_where_it_parses_as_such(number in "-?[0-9]{1,4}(\\.[0-9]{1,4})?([eE][-+]?(30[4-9]|[0-9]{1,3}))?") {
            prop_assert_eq!(Decimal::read(&number).unwrap().is_finite(), number.parse::<f64>().unwrap().is_finite());
        }
    }

    #[test]
    fn the_largest_double_is_finite_and_what_lies_beyond_is_not() {
        let finite = |text: &str| Decimal::read(text).unwrap().is_finite();
        assert!(finite("1.7976931348623157e308") && finite(&f64::MAX.to_string()) && finite("0e999999999999999999999"));
        assert!(finite("1e-99999999999999999999") && finite("0.00001e312"));
        assert!(!finite("1.7976931348623159e308") && !finite("1e309") && !finite("1e99999999999999999999"));
        assert!(!finite(&"9".repeat(310)) && Decimal::read("NaN").is_none() && Decimal::read("inf").is_none());
    }
}
