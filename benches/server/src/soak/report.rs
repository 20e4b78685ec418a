//! The sums of a response, checked exactly.

use serde_json::Value;

use crate::fleet::Amounts;

/// The bound below which rounding recovers exact MB-microseconds, despite the error of the multiplication.
const LARGEST: f64 = (1_u64 << 51) as f64;

/// Converts GB-seconds back to the exact integer.
fn units(number: &Value) -> Result<i64, String> {
    let units = number.as_f64().ok_or_else(|| format!("{number} is not a number"))? * 1_024_000_000.0;
    if !(0.0..LARGEST).contains(&units) {
        return Err(format!("{number} is negative or too large to compare"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "less than 2^51")]
    Ok(units.round() as i64)
}

/// Returns the amounts of a total, an item or a drilldown, after checking that its series adds up to them.
pub(crate) fn amounts(value: &Value) -> Result<Amounts, String> {
    let one = |name: &str| {
        let amount = units(&value[name])?;
        if let Some(series) = value.pointer(&format!("/series/{name}")) {
            let buckets = series.as_array().ok_or("no series")?;
            let sum: i64 = buckets.iter().map(units).sum::<Result<_, _>>()?;
            if sum != amount {
                return Err(format!("the buckets of {name} add up to {sum}, but the amount is {amount}"));
            }
        }
        Ok(amount)
    };
    Ok(Amounts { memory: one("memoryGbSeconds")?, disk: one("diskOverageGbSeconds")? })
}

/// Returns the total of a whole page, after checking that its groups add up to it, in every bucket, too.
pub(crate) fn total(page: &Value) -> Result<Amounts, String> {
    let items = page["items"].as_array().ok_or("no items")?;
    let rows: Vec<_> = items.iter().chain(page.get("untagged")).collect();
    let total = amounts(&page["total"])?;
    let sum: Amounts = rows.iter().map(|row| amounts(row)).sum::<Result<_, _>>()?;
    if sum != total {
        return Err(format!("the groups add up to {sum:?}, but the total is {total:?}"));
    }
    for bucket in 0..page["buckets"].as_array().map_or(0, Vec::len) {
        for name in ["memoryGbSeconds", "diskOverageGbSeconds"] {
            let pointer = format!("/series/{name}/{bucket}");
            let of = |row: &Value| units(row.pointer(&pointer).unwrap_or(&Value::Null));
            let sum: i64 = rows.iter().map(|row| of(row)).sum::<Result<_, _>>()?;
            if sum != of(&page["total"])? {
                return Err(format!("bucket {bucket}: the groups add up to {sum}, the total is {}", page["total"]));
            }
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{amounts, total};

    fn row(memory: f64, series: [f64; 2]) -> Value {
        json!({
            "memoryGbSeconds": memory, "diskOverageGbSeconds": 0.0,
            "series": { "memoryGbSeconds": series, "diskOverageGbSeconds": [0.0, 0.0] },
        })
    }

    fn page(items: &[Value], all: &Value) -> Value {
        json!({ "items": items, "total": all, "buckets": [{}, {}] })
    }

    #[test]
    fn accepts_a_page_that_adds_up() {
        let third = 1.0 / 3.0;
        let page = page(&[row(third, [third, 0.0]), row(2.0, [1.0, 1.0])], &row(2.0 + third, [1.0 + third, 1.0]));
        assert_eq!(total(&page).map(|sum| sum.disk), Ok(0));
    }

    #[test]
    fn rejects_sums_that_differ_by_one_unit() {
        let almost = 2.0 + 1.0 / 1_024_000_000.0;
        assert!(total(&page(&[row(2.0, [1.0, 1.0])], &row(almost, [1.0, almost - 1.0]))).is_err());
        assert!(amounts(&row(2.0, [1.0, almost - 1.0])).is_err());
        // Each series adds up by itself, but not the buckets.
        assert!(total(&page(&[row(2.0, [1.0, 1.0])], &row(2.0, [2.0, 0.0]))).is_err());
    }
}
