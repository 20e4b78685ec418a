//! The target for cursors of every kind.

use opencomputer_usage_core::Code;
use opencomputer_usage_core::host::functions::encode_cursor;
use opencomputer_usage_core::host::json::ToJson as _;
use opencomputer_usage_core::host::value::Raw;
use opencomputer_usage_core::query::cursor::{Cursor, shortest};
use opencomputer_usage_core::query::position::{ListCursor, SandboxPosition, TagValuePosition};

use crate::check::{grows_at_most, rejected_with};
use crate::queries::decodes_again;

/// The text of a cursor.
pub fn cursors(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Cursor::decode(&text) {
        Ok(cursor) => {
            let encoded = cursor.encode();
            grows_at_most(2, text.len(), &encoded);
            assert_eq!(Cursor::decode(&encoded).as_ref(), Ok(&cursor));
            assert!(cursor.value.get().is_finite());
            // A host reads the sort value as a double, so its digits may change, but not its value.
            let shown: Raw = serde_json::from_str(&cursor.to_json()).expect("it is JSON");
            let again = Cursor::from_raw(&shown, shortest).expect("a host shows a valid cursor");
            assert_eq!(again.value.get().to_bits(), cursor.value.get().to_bits());
            assert_eq!((&again.tie, &again.walk), (&cursor.tie, &cursor.walk));
            assert_eq!(encode_cursor(&shown, shortest), Ok(again.encode()));
        }
        Err(error) => rejected_with(&[Code::InvalidCursor], &error),
    }
    match ListCursor::<SandboxPosition>::decode(&text) {
        Ok(cursor) => decodes_again(&cursor),
        Err(error) => rejected_with(&[Code::InvalidCursor], &error),
    }
    match ListCursor::<TagValuePosition>::decode(&text) {
        Ok(cursor) => decodes_again(&cursor),
        Err(error) => rejected_with(&[Code::InvalidCursor], &error),
    }
}
