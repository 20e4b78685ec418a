//! Lists of numbers, such as the series of a usage report, converted to doubles while their text is read.
//!
//! A page of series is mostly numbers of 17 digits. JavaScript's parser spends more time on them than all other work
//! takes, and the tables of a general float parser would make up a fifth of the module.

/// The powers of five that fit into 64 bits.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, so an out-of-bounds index fails the build")]
const POWERS: [u64; 28] = {
    let mut powers = [1; 28];
    let mut n = 1;
    while n < powers.len() {
        powers[n] = powers[n - 1] * 5;
        n += 1;
    }
    powers
};

/// The most digits with which every number fits into 64 bits.
const MOST_DIGITS: usize = 19;

/// The lists of a text, one after the other: the length of a list, then its numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers(Vec<f64>);

impl Numbers {
    /// Returns the lists, each after its length.
    #[must_use]
    pub fn into_vec(self) -> Vec<f64> {
        self.0
    }

    /// Reads a list of numbers from after the opening bracket. Returns its position and the number of bytes that were
    /// read; `None`, without reading any, for an empty list, white space, a sign, an exponent or too many digits.
    pub(super) fn read(&mut self, text: &[u8]) -> Option<(usize, usize)> {
        let list = self.0.len();
        self.0.push(0.0);
        let Some(length) = self.read_items(text) else {
            self.0.truncate(list);
            return None;
        };
        #[expect(clippy::cast_precision_loss, reason = "a text has fewer than 2⁵³ numbers")]
        let count = (self.0.len() - list - 1) as f64;
        *self.0.get_mut(list)? = count;
        Some((list, length))
    }

    fn read_items(&mut self, text: &[u8]) -> Option<usize> {
        let mut rest = text;
        loop {
            let (number, after) = decimal(rest)?;
            self.0.push(number);
            let (end, after) = after.split_first()?;
            match end {
                b',' => rest = after,
                b']' => return Some(text.len() - after.len()),
                _ => return None,
            }
        }
    }
}

/// Reads a number without sign and exponent. Returns it and the text after it.
fn decimal(text: &[u8]) -> Option<(f64, &[u8])> {
    let mut number = 0_u64;
    let mut rest = text;
    let mut whole = None;
    while let Some((byte, after)) = rest.split_first() {
        match (byte, whole) {
            (b'0'..=b'9', _) => number = number.wrapping_mul(10).wrapping_add(u64::from(byte - b'0')),
            (b'.', None) => {
                whole = Some(text.len() - rest.len());
                // Most numbers of a series have more than eight decimal places.
                if let Some((eight, after)) = eight_digits(after) {
                    number = number.wrapping_mul(100_000_000).wrapping_add(eight);
                    rest = after;
                    continue;
                }
            }
            _ => break,
        }
        rest = after;
    }
    let length = text.len() - rest.len();
    let places = whole.map_or(0, |whole| length - whole - 1);
    let digits = length - usize::from(whole.is_some());
    let is_number = digits > places && (whole.is_none() || places > 0);
    // A zero comes first only if it is the only digit before the point.
    let has_extra_zero = digits - places > 1 && text.first() == Some(&b'0');
    (is_number && !has_extra_zero && digits <= MOST_DIGITS).then_some((divided(number, places)?, rest))
}

/// Reads eight digits at once. Returns their value and the text after them.
fn eight_digits(text: &[u8]) -> Option<(u64, &[u8])> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let (eight, rest) = text.split_first_chunk()?;
    let digits = u64::from_le_bytes(*eight) ^ (EACH * u64::from(b'0'));
    // Adding sets the highest bit of a byte from ten on.
    if (digits | digits.wrapping_add(EACH * 0x76)) & (EACH * 0x80) != 0 {
        return None;
    }
    // Numbers of two digits in every second byte, then of four in every fourth, then of eight.
    let pairs = (digits.wrapping_mul(10) + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some(((fours & 0xffff) * 10_000 + (fours >> 32), rest))
}

/// Returns the double that is nearest to `number` / 10^`places`.
///
/// It divides by 5^`places` in integers until 55 bits of the quotient are known. The lowest bit then says whether the
/// exact quotient is larger. So the conversion to a double rounds as if it had every bit, and the division by the power
/// of two that remains is exact.
fn divided(number: u64, places: usize) -> Option<f64> {
    const BITS: u32 = 55;
    let divisor = *POWERS.get(places)?;
    let mut exponent = u64::try_from(places).ok()?;
    let (mut quotient, mut rest, mut shift) = (0, number, 0);
    loop {
        quotient = (quotient << shift) + rest / divisor;
        rest %= divisor;
        exponent += u64::from(shift);
        if rest == 0 || quotient.leading_zeros() <= u64::BITS - BITS {
            break;
        }
        // Below 64, because the rest is not zero.
        shift = quotient.leading_zeros().min(rest.leading_zeros());
        rest <<= shift;
    }
    #[expect(clippy::cast_precision_loss, reason = "it rounds to the nearest double")]
    let rounded = (quotient | u64::from(rest != 0)) as f64;
    let power_of_two = f64::from_bits((1_023 - exponent) << 52);
    Some(rounded * power_of_two)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a list as the reader does; the text of the list begins after its opening bracket.
    fn read(text: &str) -> Option<Vec<f64>> {
        let mut numbers = Numbers(vec![7.0]);
        let read = numbers.read(text.as_bytes());
        if read.is_none() {
            assert_eq!(numbers.0, [7.0], "nothing of a list that is not read stays: {text}");
        }
        let (list, length) = read?;
        assert_eq!((list, length), (1, text.len()));
        let (count, numbers) = numbers.0[1..].split_first().unwrap();
        assert_eq!(count.to_bits(), (numbers.len() as f64).to_bits());
        Some(numbers.to_vec())
    }

    #[test]
    fn reads_plain_lists_and_leaves_others_to_the_reader() {
        assert_eq!(read("0,0.0,8000.125,12]"), Some(vec![0.0, 0.0, 8000.125, 12.0]));
        for text in [
            "]", "1,]", "1 ]", " 1]", "-1]", "1e2]", "1.]", ".5]", "01]", "00]", "1,\"a\"]", "1", "", "[1]]", ".]",
            "1.2.3]", "1..2]",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("12345678901234567890]"), None);
        assert_eq!(read("0.1234567890123456789]"), None);
        assert_eq!(read("9999999999999999999]"), Some(vec![1e19]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn rounds_digits_to_the_nearest_double(digits: u64, shift in 0..64_u32, places in 0..19_usize) {
            let digits = (digits >> shift).to_string();
            let digits = format!("{digits:0>width$}", width = places + 1);
            let (whole, fraction) = digits.split_at(digits.len() - places);
            let text = if places == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") };
            let wanted: f64 = text.parse().unwrap();
            let got = read(&format!("{text}]"));
            prop_assert_eq!(got.is_some(), digits.len() <= MOST_DIGITS);
            for got in got.into_iter().flatten() {
                prop_assert_eq!(got.to_bits(), wanted.to_bits(), "{}", text);
            }
        }

        #[test]
        fn reads_what_the_server_writes(sum in 0..1_u64 << 60) {
            let number = sum as f64 / 1_024_000_000.0;
            let text = serde_json::to_string(&number).unwrap();
            let got = read(&format!("{text}]"));
            prop_assert_eq!(got, (!text.contains('e')).then(|| vec![number]), "{}", text);
        }

        #[test]
        fn breaks_ties_to_the_even_double(double in 1_u64 << 52..1 << 53, halvings in 1..4_u32) {
            // Halfway between two doubles.
            let digits = (u128::from(double) * 2 + 1) * 5_u128.pow(halvings);
            let text = digits.to_string();
            let (whole, fraction) = text.split_at(text.len() - halvings as usize);
            let text = format!("{whole}.{fraction}");
            let wanted: f64 = text.parse().unwrap();
            for got in read(&format!("{text}]")).into_iter().flatten() {
                prop_assert_eq!(got.to_bits(), wanted.to_bits(), "{}", text);
            }
        }
    }
}
