//! From JavaScript's values to the core's.

use js_sys::{Array, JsString, Reflect};
use opencomputer_usage_core::raw::{Raw, Text};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};

/// Options hold maps of maps of lists; what lies deeper is never looked at.
const DEPTH: u8 = 4;

// Getters and proxies may throw. What is not caught here would leave Rust's frames behind without unwinding them.
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = Array, js_name = isArray)]
    fn is_array(value: &JsValue) -> Result<bool, JsValue>;

    #[wasm_bindgen(catch, js_namespace = Object, js_name = entries)]
    fn entries(value: &JsValue) -> Result<Array, JsValue>;

    #[wasm_bindgen(catch, js_namespace = Object, js_name = values)]
    fn values(value: &JsValue) -> Result<Array, JsValue>;

    /// `[object Object]` for what is a map of options or tags.
    #[wasm_bindgen(catch, js_namespace = ["Object", "prototype", "toString"], js_name = call)]
    fn class(value: &JsValue) -> Result<JsString, JsValue>;
}

pub fn raw(value: &JsValue) -> Result<Raw, JsValue> {
    read(value, DEPTH)
}

fn read(value: &JsValue, depth: u8) -> Result<Raw, JsValue> {
    if let Some(string) = value.dyn_ref::<JsString>() {
        return Ok(Raw::Text(text(string)));
    }
    if let Some(number) = value.as_f64() {
        return Ok(Raw::Number(number));
    }
    if let Some(boolean) = value.as_bool() {
        return Ok(Raw::Bool(boolean));
    }
    if value.is_null() {
        return Ok(Raw::Null);
    }
    if value.is_undefined() {
        return Ok(Raw::Undefined);
    }
    if !value.is_object() {
        return Ok(Raw::Other);
    }
    if is_array(value)? {
        return list(value, depth);
    }
    if class(value)? == "[object Object]" { map(value, depth) } else { Ok(Raw::Other) }
}

fn list(array: &JsValue, depth: u8) -> Result<Raw, JsValue> {
    if depth == 0 {
        return Ok(Raw::List(Vec::new()));
    }
    let items = values(array)?;
    // A sparse array claims any length and holds little.
    if Reflect::get(array, &"length".into())?.as_f64() != Some(items.length().into()) {
        return Ok(Raw::Other);
    }
    items.iter().map(|item| read(&item, depth - 1)).collect::<Result<_, _>>().map(Raw::List)
}

fn map(object: &JsValue, depth: u8) -> Result<Raw, JsValue> {
    if depth == 0 {
        return Ok(Raw::Map(Vec::new()));
    }
    let entry = |entry: JsValue| {
        let entry: Array = entry.unchecked_into();
        let key: JsString = entry.get(0).unchecked_into();
        Ok((text(&key), read(&entry.get(1), depth - 1)?))
    };
    entries(object)?.iter().map(entry).collect::<Result<_, _>>().map(Raw::Map)
}

fn text(string: &JsString) -> Text {
    let text = String::from(string);
    // The conversion puts U+FFFD where a surrogate stands alone: only then are the code units needed.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        Text::from_utf16(&string.iter().collect::<Vec<_>>())
    } else {
        Text::Unicode(text)
    }
}
