"""Decoding of valid and invalid bodies, in every form that JSON allows."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import cursor, sandbox_page, tag_page

import opencomputer_usage as ocu

PAGE = sandbox_page(["sb-1", "sb-2"], cursor(1))
STRINGS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\/\b\n\0é😀'))
AMOUNTS = st.floats(allow_nan=False, allow_infinity=False)
ITEMS = st.fixed_dictionaries(
    {
        "sandboxId": STRINGS,
        "memoryGbSeconds": AMOUNTS,
        "diskOverageGbSeconds": AMOUNTS,
        "tags": st.dictionaries(STRINGS, STRINGS),
        "tagsLastUpdatedAt": st.none() | st.datetimes().map(lambda at: at.isoformat() + "Z"),
    },
    optional={"alias": STRINGS, "status": STRINGS, "later": st.lists(st.booleans())},
)


def read(body: bytes) -> ocu.SandboxUsagePage:
    return ocu.SandboxUsagePage.from_json(body)


@given(st.lists(ITEMS, max_size=6), st.booleans(), st.sampled_from([None, 0, 3]))
def test_items_equal_those_that_json_reads(items: list[dict[str, Any]], escaped: bool, indent: int | None) -> None:
    body = json.dumps({**PAGE, "items": items}, ensure_ascii=escaped, indent=indent).encode()
    expected = [{name: value for name, value in item.items() if name != "later"} for item in items]
    page = read(body)
    assert page.to_dict()["items"] == expected
    assert [dict(item.tags or {}) for item in page.items] == [item["tags"] for item in items]
    again = [ocu.SandboxUsageItem(*(getattr(item, name) for name in item.__match_args__)) for item in page.items]
    assert again == list(page.items)


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS), max_size=40), st.sampled_from([None, 0]))
def test_series_equal_those_that_json_reads(amounts: list[tuple[float, float]], indent: int | None) -> None:
    series = {"memoryGbSeconds": [one for one, _ in amounts], "diskOverageGbSeconds": [other for _, other in amounts]}
    items = [{**item, "series": series} for item in PAGE["items"]]
    page = read(json.dumps({**PAGE, "items": items}, indent=indent).encode())
    assert page.to_dict()["items"] == items
    for item in page.items:
        assert item.series == ocu.UsageSeries(*series.values())


@pytest.mark.parametrize("wrong", [None, [None], ["1"], [True], [1, [2]], {"0": 1}, "1", 1e400], ids=repr)
def test_a_wrong_series_is_refused(wrong: object) -> None:
    series = {"memoryGbSeconds": [1.0], "diskOverageGbSeconds": wrong}
    for page, body in ((ocu.SandboxUsagePage, PAGE), (ocu.TagUsagePage, tag_page(["a"]))):
        items = [{**item, "series": series} for item in body["items"]]
        with pytest.raises(ocu.DecodeError):
            page.from_json(json.dumps({**body, "items": items}))


@given(AMOUNTS)
def test_amounts_are_the_nearest_double(amount: float) -> None:
    for text in (repr(amount), f"{amount:.17e}", f"{amount:.30e}"):
        page = read(json.dumps(PAGE).replace("6.0", text).encode())
        assert page.total.memory_gb_seconds == float(text)


@given(st.binary() | st.text().map(str.encode))
def test_arbitrary_bytes_raise_only_decode_errors(body: bytes) -> None:
    for page in (ocu.SandboxUsagePage, ocu.TagUsagePage):
        with contextlib.suppress(ocu.DecodeError):
            page.from_json(body)


@given(st.data())
def test_a_truncated_or_damaged_body_is_refused_or_read(data: st.DataObject) -> None:
    body = json.dumps(PAGE).encode()
    at = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(ocu.DecodeError):
        read(body[:at])
    damaged = bytearray(body)
    damaged[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ocu.DecodeError):
        read(bytes(damaged)).to_dict()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["from"], "yesterday"),
        (["asOf"], 7),
        (["total"], None),
        (["total", "memoryGbSeconds"], "6"),
        (["total", "memoryGbSeconds"], True),
        (["items"], {}),
        (["items", 0], None),
        (["items", 0, "sandboxId"], 7),
        (["items", 0, "sandboxId"], None),
        (["items", 1, "alias"], []),
        (["items", 1, "tags"], []),
        (["items", 1, "tags", "team"], 1),
        (["items", 1, "tags", "team"], None),
        (["items", 1, "tagsLastUpdatedAt"], "2026-02-30T00:00:00.000000Z"),
        (["items", 1, "tagsLastUpdatedAt"], "2026-02-28 00:00:00.000000Z"),
        (["items", 1, "tagsLastUpdatedAt"], 7),
        (["nextCursor"], 7),
    ],
    ids=repr,
)
def test_a_wrong_type_is_refused_at_once(path: list[Any], value: object) -> None:
    page = json.loads(json.dumps(PAGE))
    holder = page
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    with pytest.raises(ocu.DecodeError) as refused:
        read(json.dumps(page).encode())
    assert refused.value.body == page
    del holder[path[-1]]
    optional = path[-1] in ("alias", "asOf", "items", "tags", "tagsLastUpdatedAt", "nextCursor", "team", 0)
    with contextlib.nullcontext() if optional else pytest.raises(ocu.DecodeError):
        read(json.dumps(page).encode())


@given(
    st.datetimes(datetime(1000, 1, 1)),
    st.integers(0, 7),
    st.sampled_from(["Z", "z", "+00:00", "-08:00", "+05:30"]),
    st.sampled_from("Tt"),
)
def test_times_are_normalized(at: datetime, digits: int, zone: str, letter: str) -> None:
    text = at.isoformat(sep=letter, timespec="seconds") + f".{at.microsecond:06}0"[: digits and digits + 1] + zone
    instant = ocu.SandboxUsage("sb", text, text, None, 0.0, None, None, None, None, None).from_datetime
    fraction = f".{instant.microsecond:06}" if instant.microsecond else ""
    item = {**PAGE["items"][0], "tagsLastUpdatedAt": text}
    for escaped in (text, text.replace("-", "\\u002d")):
        page = read(json.dumps({**PAGE, "items": [item]}).replace(text, escaped).encode())
        assert page.items[0].tags_last_updated_at == f"{instant:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def test_optional_members_that_are_missing_are_none() -> None:
    item = {"sandboxId": "sb-1", "memoryGbSeconds": 2, "diskOverageGbSeconds": 0}
    body = {"from": PAGE["from"], "to": PAGE["to"], "total": PAGE["total"], "items": [item]}
    page = read(json.dumps(body).encode())
    assert (page.as_of, page.as_of_datetime, page.group_by, page.next_cursor) == (None, None, None, None)
    row = page.items[0]
    assert (row.tags, row.tags_last_updated_at, row.tags_last_updated_datetime) == (None, None, None)
    assert (row.alias, row.status) == (None, None)
    nothing: list[Any] = [None, []]
    for empty in nothing:
        assert read(json.dumps({**body, "items": empty}).encode()).items == ()
    tags = ocu.TagUsagePage.from_json(json.dumps({**body, "groupBy": "tag:team", "items": []}).encode())
    assert (tags.untagged, tags.as_of) == (None, None)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>\n<body>a secret</body></html>", "it is not valid JSON at byte 0"),
        (b'{"from": "a secret"', "it is not valid JSON at byte 19"),
        (json.dumps({**PAGE, "from": "a\nsecret"}).encode(), "`from` is missing or has the wrong type"),
        (json.dumps({**PAGE, "later": [{}] * 1000, "total": 7}).encode(), "`total` is missing or has the wrong type"),
        (b'["a secret"]', "it has the wrong type"),
        (b"\xffa secret", "it is not UTF-8"),
    ],
    ids=["HTML", "cut off", "no time", "no total", "an array", "not UTF-8"],
)
def test_a_decode_error_is_one_line_without_the_body(body: bytes, why: str) -> None:
    with pytest.raises(ocu.DecodeError) as caught:
        read(body)
    assert str(caught.value) == f"the body does not match the API: {why}"
    assert "secret" in json.dumps(caught.value.body) or "later" in body.decode()


@pytest.mark.parametrize("body", ['{"n": NaN}', '{"n": 1e999}', '["\\ud800"]', "[" * 128 + "]" * 128])
def test_the_body_of_an_error_stays_text_if_the_core_does_not_read_it_as_json(body: str) -> None:
    client = ocu.UsageClient(
        api_key="key", base_url="https://api.example.com", max_retries=0, transport=lambda _: (500, {}, body)
    )
    with pytest.raises(ocu.ServerError) as caught:
        client.tags.list_keys()
    assert caught.value.body == body


def test_the_error_of_a_page_that_does_not_match_its_query_has_the_body() -> None:
    client = ocu.UsageClient(
        api_key="key", base_url="https://api.example.com", transport=lambda _: (200, {}, json.dumps(PAGE))
    )
    with pytest.raises(ocu.DecodeError, match="is not the requested one") as caught:
        client.usage.by_sandbox(from_="2020-01-01", to="2020-01-02")
    assert caught.value.body == PAGE


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"a":' * 100_000, b'{"later":' + b"[" * 100_000])
def test_deep_nesting_is_refused(deep: bytes) -> None:
    with pytest.raises(ocu.DecodeError):
        read(deep)
    with pytest.raises(ocu.DecodeError):
        read(json.dumps(PAGE).encode().replace(b'{"from"', b'{"later":' + deep + b',"from"', 1))
    members = ["items", "total", "sandboxId", "tags", "nextCursor", "asOf", "memoryGbSeconds", "sandboxCount", "tagKey"]
    for page, body in ((ocu.SandboxUsagePage, PAGE), (ocu.TagUsagePage, tag_page(["a"]))):
        text = json.dumps(body)
        for name in [f'"{member}": ' for member in members if member in text]:
            with pytest.raises(ocu.DecodeError):
                page.from_json((text.partition(name)[0] + name).encode() + deep)


@pytest.mark.parametrize("body", [b'"\\ud800"', b'"\xed\xa0\x80"', b'"\xff"', b'"a\nb"'])
def test_invalid_strings_are_refused(body: bytes) -> None:
    with pytest.raises(ocu.DecodeError):
        read(json.dumps(PAGE).encode().replace(b'"sb-1"', body))


@pytest.mark.parametrize("number", [b"1e999", b"NaN", b"Infinity", b"01", b"1.", b".5", b"0x1"])
def test_invalid_numbers_are_refused(number: bytes) -> None:
    with pytest.raises(ocu.DecodeError):
        read(json.dumps(PAGE).encode().replace(b"6.0", number))


def test_a_page_of_another_kind_is_refused() -> None:
    with pytest.raises(ocu.DecodeError):
        ocu.TagUsagePage.from_json(json.dumps(PAGE).encode())
    with pytest.raises(ocu.DecodeError):
        read(json.dumps(tag_page(["a"])).encode())


def test_a_page_outlives_its_body() -> None:
    body = bytearray(json.dumps(PAGE).encode())
    page = read(bytes(body))
    item = page.items[1]
    del page, body
    assert (item.sandbox_id, item.status, item.tags) == ("sb-2", "running", {"team": "a"})
