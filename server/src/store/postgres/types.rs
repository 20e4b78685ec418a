//! Instants and sums in PostgreSQL's binary format, without a conversion through floats.

use opencomputer_usage_core::usage::window::Timestamp;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

use crate::store::Result;

/// PostgreSQL's epoch, 2000-01-01T00:00:00Z, in microseconds since 1970.
const EPOCH: i64 = 946_684_800_000_000;

/// A `timestamptz` as microseconds since 1970. The least and the greatest number are the infinities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant(pub(super) i64);

impl Instant {
    /// Returns the instant, or the nearest valid one: a platform may have stored an infinity.
    pub(super) fn timestamp(self) -> Timestamp {
        Timestamp::nearest(self.0)
    }
}

impl From<Timestamp> for Instant {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp.micros())
    }
}

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl PgHasArrayType for Instant {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1185))
    }
}

impl Encode<'_, Postgres> for Instant {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = match self.0 {
            infinity @ (i64::MIN | i64::MAX) => infinity,
            micros => micros.saturating_sub(EPOCH),
        };
        buffer.extend_from_slice(&micros.to_be_bytes());
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Instant {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Self(match i64::from_be_bytes(binary(&value)?.try_into()?) {
            infinity @ (i64::MIN | i64::MAX) => infinity,
            micros => micros.saturating_add(EPOCH),
        }))
    }
}

/// A non-negative whole `numeric`, such as a sum of `bigint`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum(pub(super) u128);

impl Type<Postgres> for Sum {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1700))
    }
}

impl Decode<'_, Postgres> for Sum {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let (head, digits) = binary(&value)?.split_first_chunk::<8>().ok_or("a numeric without a header")?;
        let [_, _, weight_high, weight_low, sign_high, sign_low, _, _] = *head;
        if [sign_high, sign_low] != [0, 0] {
            return Err("a negative sum".into());
        }
        // Digits have the base 10,000, and the weight is the power of the first. Trailing zeros are left out.
        let weight = i16::from_be_bytes([weight_high, weight_low]);
        let mut sum = 0_u128;
        let mut digits = digits.chunks_exact(2);
        for _ in 0..=weight {
            let digit = digits.next().map_or(0, |digit| digit.iter().fold(0, |all, byte| all << 8 | u128::from(*byte)));
            sum = sum.checked_mul(10_000).and_then(|sum| sum.checked_add(digit)).ok_or("a sum above 128 bits")?;
        }
        Ok(Self(sum))
    }
}

fn binary<'r>(value: &PgValueRef<'r>) -> Result<&'r [u8], BoxDynError> {
    match value.format() {
        PgValueFormat::Binary => value.as_bytes(),
        PgValueFormat::Text => Err("a value in text format, although binary was requested".into()),
    }
}
