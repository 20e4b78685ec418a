"""Properties of the pure functions."""

from __future__ import annotations

import contextlib
from types import MappingProxyType
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

import opencomputer_usage as ocu

# Any code point, including lone surrogates, and often those that the rules mention.
TEXT = st.text(st.characters() | st.sampled_from(":ab0_. \0\ud800é😀"))
KEYS = TEXT | st.from_regex(r"(oc:)?[A-Za-z0-9_.:-]{0,130}", fullmatch=True)
VALUES = TEXT | st.integers(250, 260).map(lambda length: "é" * length)
ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.lists(st.integers())


def is_surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"


def key_codes(key: str) -> list[str]:
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-:")
    faults = {
        "key_empty": key == "",
        "key_too_long": len(key) > 128,
        "key_invalid_characters": not set(key) <= allowed,
        "key_reserved_prefix": key.startswith("oc:"),
    }
    return [code for code, broken in faults.items() if broken]


def value_codes(value: object) -> list[str]:
    if not isinstance(value, str):
        return ["value_not_string"]
    faults = {
        "value_too_long": len(value) > 256,
        "value_not_unicode": any(map(is_surrogate, value)),
        "value_contains_nul": "\0" in value,
    }
    return [code for code, broken in faults.items() if broken]


def shown(key: str) -> str:
    return "".join("\ufffd" if is_surrogate(character) else character for character in key)


def naive(tags: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Implements the rules a second time, as simply as possible."""
    found: list[tuple[str, str | None]] = [("too_many_tags", None)] if len(tags) > 50 else []
    for key in sorted(tags):
        found += [(code, shown(key)) for code in [*key_codes(key), *value_codes(tags[key])]]
    return found


@given(st.dictionaries(KEYS, VALUES | ANYTHING, max_size=8))
@example({f"k{number}": "v" for number in range(50)})
@example({f"k{number}": "v" for number in range(51)})
@example({f"k{number}": "v" for number in range(52)} | {"": ""})
@example({"\ud83d\ude00": "\ud83d\ude00"})
@example({"a": "x" * 257, "b": "é" * 256, "c": "😀" * 256, "d": "\0"})
def test_validate_tags_agrees_with_the_rules(tags: dict[str, Any]) -> None:
    found = ocu.validate_tags(tags)
    assert [(violation.code, violation.key) for violation in found] == naive(tags)
    assert ocu.validate_tags(MappingProxyType(tags)) == found


@given(KEYS, VALUES | ANYTHING)
def test_the_checks_of_one_field_agree_with_the_whole(key: str, value: Any) -> None:
    codes = [violation.code for violation in ocu.validate_tag_key(key) + ocu.validate_tag_value(value)]
    assert codes == [violation.code for violation in ocu.validate_tags({key: value})]


@given(st.recursive(ANYTHING | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT | st.integers(), inner)))
def test_any_value_is_validated_or_refused(value: Any) -> None:
    for function in (
        ocu.validate_tags,
        ocu.validate_tag_key,
        ocu.parse_group_by,
        ocu.format_group_by,
        ocu.parse_filter,
        ocu.format_filter,
        ocu.encode_cursor,
        ocu.decode_cursor,
    ):
        with contextlib.suppress(ocu.InvalidRequestError):
            function(value)
    ocu.validate_tag_value(value)


# Valid and invalid tag values.
FILTERED = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from(',"  \t'), max_size=20
)


@given(st.lists(FILTERED, min_size=1, max_size=100))
def test_filters_round_trip(values: list[str]) -> None:
    assert ocu.parse_filter(ocu.format_filter(values)) == list(dict.fromkeys(values))


@given(TEXT | st.from_regex(r"[A-Za-z0-9_-]*", fullmatch=True))
def test_decode_cursor_raises_only_its_error(text: str) -> None:
    with contextlib.suppress(ocu.InvalidRequestError):
        ocu.decode_cursor(text)


@given(st.floats(allow_nan=False, allow_infinity=False), st.text(st.characters(exclude_categories=["Cs"])))
def test_cursors_round_trip(value: float, tie: str) -> None:
    cursor = ocu.Cursor(value, tie)
    assert ocu.decode_cursor(ocu.encode_cursor(cursor)) == cursor


def test_a_dict_that_changes_during_validation_does_not_panic() -> None:
    class Odd(dict[str, Any]):
        def items(self) -> Any:
            outer["new"] = "x"
            return super().items()

    class Mean(dict[str, str]):
        def keys(self) -> Any:
            raise LookupError

    outer: dict[str, Any] = {}
    outer.update(a=MappingProxyType(Odd()), b="c", c="\ud800")
    assert [violation.key for violation in ocu.validate_tags(outer)] == ["a", "c"]
    assert ocu.validate_tags(Mean(a="b")) == []
