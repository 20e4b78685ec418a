//! The Gregorian calendar in UTC, for instants on the wire.
//!
//! This is all of a calendar that clients need. `chrono`, which has the calendars of time zones, would add over a
//! kilobyte to the module that browsers download. Tests compare with it.

/// The days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;
/// The days of 400 years.
const ERA: i64 = 146_097;

/// Returns the days from 1970-01-01 to a date; `None` if there is no such date. The year has four digits.
pub(super) fn days(year: u32, month: u32, day: u32) -> Option<i64> {
    let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years that start in March end with the leap day.
    let year_of_march = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (year_of_march.div_euclid(400), year_of_march.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * ERA + day_of_era - EPOCH;
    // A day beyond the end of its month is a date of the next month.
    (date(days) == (year, month, day)).then_some(days)
}

/// Returns the year, month and day of the date that is this number of days after 1970-01-01.
pub(super) fn date(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH;
    let (era, day_of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / (ERA - 1)) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_of_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_of_march + 2) / 5 + 1;
    let month = if month_of_march < 10 { month_of_march + 3 } else { month_of_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike as _, NaiveDate};

    use super::{date, days};

    #[test]
    #[allow(clippy::unwrap_used, reason = "a test may panic")]
    fn every_date_of_four_digits_is_that_of_chrono() {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        for year in 0..=9_999_u32 {
            for month in 0..=13 {
                for day in 0..=32 {
                    let known = NaiveDate::from_ymd_opt(year.try_into().unwrap(), month, day);
                    let wanted = known.map(|known| (known - epoch).num_days());
                    assert_eq!(days(year, month, day), wanted, "{year}-{month}-{day}");
                    let round = wanted.map(date);
                    assert_eq!(
                        round,
                        known.map(|known| (known.year().into(), known.month().into(), known.day().into()))
                    );
                }
            }
        }
    }
}
