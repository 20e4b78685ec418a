"""Models: immutable, compared by value, hashable, picklable."""

from __future__ import annotations

import copy
import doctest
import inspect
import json
import operator
import pickle
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import pytest
from samples import SERIES, cursor, group_page, sandbox_page, tag_page, with_series
from test_vectors import KINDS

import opencomputer_usage as ocu
from opencomputer_usage import _client, _core, _errors

TAGS = ocu.Tags({"team": "a"})
AT = "2026-03-05T00:00:00.000250Z"
WINDOW = ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z", "2026-04-02T00:00:00Z")
ITEM = ocu.SandboxUsageItem("sb-1", 2.0, 0.25, TAGS, AT, "mine", "running")
TOTALS = ocu.SandboxUsageTotals(3600.0, 2180.5, 3600.0, 1024, 742)
POINT = ocu.UsagePoint(AT, 60.0, 35.86, 60.0, 1024, 612, 720)
AMOUNTS = ocu.UsageSeries([0.5, 1.5], [0.0, 0.25])
BUCKET = ocu.UsageBucket(*WINDOW[:2], partial=True)
GROUPS: list[dict[str, str | None]] = [{"tag:team": "a", "region": None}, {"tag:team": "", "region": "use2"}]
VALUES: list[Any] = [
    ocu.TagViolation("key_empty", "", "no"),
    ocu.GroupBy("sandbox"),
    ocu.Cursor(1.5, "x"),
    ocu.UsageTotals(1.0, 2.0),
    ocu.UntaggedUsage(1.0, 2.0, 3),
    ocu.TagUsageItem("team", "a", 1.0, 2.0, 3),
    ocu.GroupBy("dimensions", dimensions=[ocu.GroupBy("tag", "team"), ocu.GroupBy("region")]),
    ocu.TagUsageItem("team", "a", 1.0, 2.0, 3, AMOUNTS),
    ocu.GroupUsageItem(GROUPS[0], 1.0, 2.0, 3),
    ocu.GroupUsageItem(GROUPS[1], 1.0, 2.0, 3, AMOUNTS),
    ocu.UsageTotals(1.0, 2.0, AMOUNTS),
    ocu.UntaggedUsage(1.0, 2.0, 3, AMOUNTS),
    AMOUNTS,
    ocu.UsageSeries([], []),
    BUCKET,
    ocu.UsageBucket(*WINDOW[:2]),
    ocu.TagKey("team", 3, 2),
    ocu.SandboxTags(TAGS, AT, '"e"'),
    ocu.SandboxUsage("sb-1", *WINDOW, 1.5, 0.0, TAGS, None, AT, None, alias="mine"),
    ocu.SandboxUsage("sb-1", WINDOW[0], WINDOW[1], None, 1.5, None, None, None, None, None),
    ocu.SandboxUsage("sb-1", *WINDOW, 1.5, 0.0, TAGS, None, None, None, None, None, TOTALS, (POINT, POINT)),
    TOTALS,
    POINT,
    ocu.Sandbox("sb-1", "running", "use2", "w-1", "base", AT),
    ocu.Sandbox("sb-1", "running", "use2", "w-1", "base", AT, "mine", TAGS, None),
    ocu.Sandbox("sb-1", "running", None, None, None, AT),
    ITEM,
    ocu.SandboxUsageItem("sb-1", 2.0, 0.25, None, None),
    ocu.SandboxUsageItem("sb-1", 2.0, 0.25, {}, None),
    ocu.SandboxUsageItem("sb-1", 2.0, 0.25, {}, None, series=AMOUNTS),
    ocu.LIMITS,
    ocu.TagUsagePage.from_json(json.dumps(tag_page(["a", "b"], cursor(1))).encode()),
    ocu.AsyncTagUsagePage.from_json(json.dumps(tag_page(["a"])).encode()),
    ocu.SandboxUsagePage.from_json(json.dumps(sandbox_page(["sb-1", "sb-2"])).encode()),
    ocu.AsyncSandboxUsagePage.from_json(json.dumps(sandbox_page([])).encode()),
    ocu.GroupUsagePage.from_json(json.dumps(group_page(GROUPS)).encode()),
    ocu.AsyncGroupUsagePage.from_json(json.dumps(with_series(group_page(GROUPS, cursor(1)))).encode()),
    ocu.TagUsagePage.from_json(json.dumps(with_series(tag_page(["a", "b"]))).encode()),
    ocu.SandboxUsagePage.from_json(json.dumps(with_series(sandbox_page(["sb-1", "sb-2"]))).encode()),
    ocu.TagUsagePage(*WINDOW[:2], None, "tag:team", ocu.UsageTotals(1.0, 2.0), None, [], None),
    ocu.SandboxUsagePage(*WINDOW[:2], None, None, ocu.UsageTotals(1.0, 2.0), [], None),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_models_compare_hash_and_pickle_by_value(value: Any) -> None:
    model, names = type(value), type(value).__match_args__
    fields = [getattr(value, name) for name in names]
    for twin in (model(*fields), pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
        assert twin == value
        assert (twin != value) is False
        assert hash(twin) == hash(value)
        assert type(twin) is model
    assert value != fields
    other: Any = VALUES[0] if value is not VALUES[0] else VALUES[1]
    assert value != other
    with pytest.raises(TypeError):
        value < value  # noqa: B015
    with pytest.raises(AttributeError):
        setattr(value, names[0], "other")
    with pytest.raises(AttributeError):
        value.other = 1
    assert not hasattr(value, "__dict__")
    first = f"<{len(fields[0])}>" if isinstance(fields[0], tuple) else repr(fields[0])
    assert repr(value).startswith(f"{model.__name__}({names[0]}={first}")
    assert json.loads(json.dumps(value.to_dict())) == value.to_dict()


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_equality_depends_on_every_field(value: Any) -> None:
    fields = {name: getattr(value, name) for name in type(value).__match_args__}
    for name, known in fields.items():
        others: list[Any] = [
            "other",
            7.5,
            7,
            {"next": "x"},
            (),
            None,
            TOTALS,
            ocu.UsageTotals(9.0, 9.0),
            ocu.UntaggedUsage(9.0, 9.0, 9),
            ocu.UsageSeries([9.0], [9.0]),
            True,
            False,
            (9.0,),
            {"tag:x": None},
        ]
        others += [(ITEM,), (ocu.TagUsageItem("team", "x", 9.0, 9.0, 9),), (POINT,), (BUCKET,)]
        others += [(ocu.GroupUsageItem({"tag:x": "y"}, 9.0, 9.0, 9),), (ocu.GroupBy("status"),)]
        changed = 0
        for other in others:
            try:
                twin = type(value)(**{**fields, name: other})
            except (TypeError, ValueError):
                continue
            # None stands for an empty tuple and for False in an optional field.
            held = getattr(twin, name)
            assert held == other or (other is None and not held)
            assert (twin == value) == (held == known)
            changed += held != known
        assert changed, f"nothing else fits {name}"


@pytest.mark.parametrize(
    ("page", "wire"),
    [
        (ocu.TagUsagePage, tag_page(["a", "b"], cursor(1))),
        (ocu.AsyncTagUsagePage, tag_page([])),
        (ocu.TagUsagePage, with_series(tag_page(["a"]))),
        (ocu.GroupUsagePage, group_page(GROUPS)),
        (ocu.AsyncGroupUsagePage, with_series(group_page(GROUPS))),
        (ocu.SandboxUsagePage, with_series(sandbox_page(["sb-1", "sb-2"]))),
        (ocu.SandboxUsagePage, sandbox_page(["sb-1"], cursor(1))),
        (ocu.AsyncSandboxUsagePage, sandbox_page(['\u00e9\u0020"\\\n'])),
    ],
)
def test_a_page_round_trips_through_json(page: Any, wire: dict[str, Any]) -> None:
    for body in (json.dumps(wire), json.dumps(wire, ensure_ascii=False), json.dumps({"later": [{}], **wire}, indent=1)):
        assert page.from_json(body.encode()).to_dict() == wire


def test_a_model_matches_by_its_fields() -> None:
    match ITEM:
        case ocu.SandboxUsageItem("sb-1", memory, tags={"team": team}):
            assert (memory, team) == (2.0, "a")
        case _:
            pytest.fail("does not match")


def test_times_are_also_datetimes() -> None:
    assert ITEM.tags_last_updated_datetime == datetime(2026, 3, 5, 0, 0, 0, 250, timezone.utc)
    assert ocu.SandboxUsageItem("sb-1", 2.0, 0.25, {}, None).tags_last_updated_datetime is None
    usage = ocu.SandboxUsage("sb-1", *WINDOW, 1.5, 0.0, TAGS, None, "2026-03-02T01:00:00+02:00", None)
    assert usage.from_datetime.isoformat() == "2026-03-01T00:00:00+00:00"
    assert usage.first_started_datetime == datetime(2026, 3, 1, 23, tzinfo=timezone.utc)
    assert usage.last_ended_datetime is None
    assert POINT.ts_datetime == datetime(2026, 3, 5, 0, 0, 0, 250, timezone.utc)
    page = ocu.TagUsagePage.from_json(json.dumps(tag_page([])).encode())
    assert [at.month for at in (page.from_datetime, page.to_datetime)] == [3, 4]
    assert page.as_of_datetime == datetime(2026, 4, 2, tzinfo=timezone.utc)
    with pytest.raises(ValueError, match="`soon` is not a timestamp"):
        ocu.Sandbox("sb-1", "running", "use2", "w-1", "base", "soon").started_datetime  # noqa: B018


def test_a_page_shows_how_many_items_it_has() -> None:
    page = ocu.TagUsagePage.from_json(json.dumps(tag_page(["a", "b"])).encode())
    assert "group_by='tag:team'" in repr(page)
    assert "items=<2>, next_cursor=None)" in repr(page)


def test_a_series_is_a_tuple_of_floats_that_is_made_once() -> None:
    page = ocu.SandboxUsagePage.from_json(json.dumps(with_series(sandbox_page(["a"]))))
    series = page.items[0].series
    assert series is page.items[0].series
    assert series is not None
    assert (series.memory_gb_seconds, series.disk_overage_gb_seconds) == ((0.5, 1.5), (0.0, 0.25))
    assert series.memory_gb_seconds is series.memory_gb_seconds
    assert series.to_dict() == SERIES
    for wrong in ("12", [True], ["1"], [None], 5):
        with pytest.raises(TypeError):
            ocu.UsageSeries(wrong, [])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must be finite"):
        ocu.UsageSeries([float("inf")], [])


def test_a_page_without_an_interval_has_no_buckets() -> None:
    page = ocu.TagUsagePage.from_json(json.dumps(tag_page(["a"])))
    assert (page.interval, page.time_zone, page.buckets, page.items[0].series) == (None, None, (), None)
    page = ocu.TagUsagePage.from_json(json.dumps(with_series(tag_page(["a"]))))
    assert (page.interval, page.time_zone) == ("1w", "UTC")
    assert [bucket.partial for bucket in page.buckets] == [True, False]
    assert page.buckets[1].from_datetime == datetime(2026, 3, 15, tzinfo=timezone.utc)


def test_a_group_is_a_dict_that_cannot_be_changed() -> None:
    group: Any = ocu.Group({"tag:team": "a", "region": None})
    assert list(group.items()) == [("tag:team", "a"), ("region", None)]
    assert repr(group) == "Group({'tag:team': 'a', 'region': None})"
    assert type({**group}) is type(group | {}) is dict
    for twin in (copy.deepcopy(group), pickle.loads(pickle.dumps(group))):
        assert (type(twin), twin, hash(twin)) == (ocu.Group, group, hash(group))
    with pytest.raises(TypeError, match=r"group cannot be changed, take \{\*\*group"):
        group["region"] = "use2"
    with pytest.raises(TypeError, match="group must be a mapping of str to str or None, got str to int"):
        ocu.Group({"region": 1})  # type: ignore[dict-item]


def test_the_used_fraction_is_none_without_samples() -> None:
    unused = ocu.SandboxUsageTotals(3600.0, 0.0, 3600.0, 1024, 0)
    assert TOTALS.used_fraction == 2180.5 / 3600.0
    assert POINT.used_fraction == 35.86 / 60.0
    assert unused.used_fraction is None
    for totals, fraction in ((TOTALS, TOTALS.used_fraction), (unused, None), (None, None)):
        usage = ocu.SandboxUsage("sb-1", *WINDOW, 1.5, 0.0, TAGS, None, None, None, totals=totals)
        assert usage.used_fraction == fraction


def test_items_are_made_once() -> None:
    page = ocu.SandboxUsagePage.from_json(json.dumps(sandbox_page(["a", "b"])).encode())
    assert page.items is page.items
    assert list(page) == list(page.items)


def test_tags_are_a_dict_that_cannot_be_changed() -> None:
    given = {"team": "a", "env": "prod", "": "\0é😀"}
    tags: Any = ocu.Tags(given)
    assert issubclass(ocu.Tags, Mapping)
    assert (tags["team"], tags.get("env"), tags.get("x"), tags.get("x", 7)) == ("a", "prod", None, 7)
    assert ("team" in tags, "x" in tags, 7 in tags) == (True, False, False)
    with pytest.raises(KeyError, match="x"):
        tags["x"]
    assert (len(tags), list(tags), list(tags.values())) == (3, list(given), list(given.values()))
    assert list(reversed(tags)) == list(reversed(given))
    assert dict(tags) == {**tags} == dict(tags.items()) == given
    assert json.loads(json.dumps(tags)) == given
    assert tags == given
    assert given == tags
    assert tags != {**given, "x": "y"}
    assert ocu.Tags(tags) == tags
    assert hash(ocu.Tags(dict(reversed(given.items())))) == hash(tags)
    for twin in (copy.copy(tags), copy.deepcopy(tags), pickle.loads(pickle.dumps(tags))):
        assert (type(twin), twin) == (ocu.Tags, tags)
    changing: Any = operator
    for change in (
        lambda: changing.setitem(tags, "a", "b"),
        lambda: changing.delitem(tags, "team"),
        tags.clear,
        lambda: tags.pop("team"),
        tags.popitem,
        lambda: tags.setdefault("a", "b"),
        lambda: tags.update(a="b"),
    ):
        with pytest.raises(TypeError, match=r"take \{\*\*tags"):
            change()
    for copied in (dict(tags), tags.copy(), tags | {}, {} | tags):
        assert type(copied) is dict
        copied["team"] = "b"
    ocu.Tags.__init__(tags, {"a": "b"})
    both = tags
    both |= {"team": "b"}
    assert (type(both), both["team"]) == (dict, "b")
    assert tags == given
    for wrong in ({"a": 1}, {1: "a"}, ["a"], None):
        with pytest.raises((TypeError, ValueError)):
            ocu.Tags(wrong)  # type: ignore[arg-type]
    with pytest.raises(UnicodeEncodeError):
        ocu.Tags({"a": "\ud800"})


def test_a_model_copies_a_dict_of_tags() -> None:
    given = {"team": "a"}
    state = ocu.SandboxTags(given, AT, None)
    known = hash(state)
    given["team"] = "b"
    assert state == ocu.SandboxTags(TAGS, AT, None)
    assert hash(state) == known
    assert isinstance(ocu.SandboxUsage("sb-1", *WINDOW, 1.5, 0.0, given, None, None, None).tags, ocu.Tags)


@pytest.mark.parametrize("count", [1, 40], ids=["few tags", "many tags"])
def test_a_duplicate_tag_key_is_refused(count: int) -> None:
    tags = {f"key-{number}": "a" for number in range(count)}
    for last in ('"key-0"', '"\\u006bey-0"'):
        body = json.dumps(sandbox_page(["a"])).replace('{"team": "a"}', json.dumps(tags)[:-1] + f', {last}: "b"}}')
        with pytest.raises(ocu.DecodeError, match="`tags`"):
            ocu.SandboxUsagePage.from_json(body)
    whole = json.dumps(sandbox_page(["a"])).replace('{"team": "a"}', json.dumps(tags))
    assert ocu.SandboxUsagePage.from_json(whole).items[0].tags == tags


def test_every_error_has_one_class() -> None:
    def below(kind: type[ocu.OpenComputerError]) -> set[type[ocu.OpenComputerError]]:
        return {kind, *(each for sub in kind.__subclasses__() for each in below(sub))}

    assert below(ocu.OpenComputerError) - {ocu.OpenComputerError} == set(KINDS) == set(_errors._CLASSES.values())
    assert issubclass(ocu.APITimeoutError, ocu.APIConnectionError)
    assert below(ocu.APIError) == {
        ocu.APIError,
        ocu.AuthenticationError,
        ocu.PermissionDeniedError,
        ocu.NotFoundError,
        ocu.ConflictError,
        ocu.RateLimitError,
        ocu.ServerError,
    }


def test_both_clients_have_the_same_calls() -> None:
    blocking = ocu.UsageClient(api_key="key", base_url="https://api.example.com")
    awaited = ocu.AsyncUsageClient(api_key="key", base_url="https://api.example.com")
    for group in ("usage", "tags", "sandboxes"):
        names = [name for name in dir(getattr(blocking, group)) if not name.startswith("_")]
        assert names == [name for name in dir(getattr(awaited, group)) if not name.startswith("_")]
        for name in names:
            method, twin = getattr(getattr(blocking, group), name), getattr(getattr(awaited, group), name)
            assert list(inspect.signature(method).parameters) == list(inspect.signature(twin).parameters)
            assert method.__doc__ == twin.__doc__


def test_every_exported_name_exists() -> None:
    assert all(hasattr(ocu, name) for name in ocu.__all__)
    assert ocu.__version__ == _core.__version__
    exported = [getattr(ocu, name) for name in ocu.__all__]
    assert all(value.__doc__ for value in exported if inspect.isclass(value) or inspect.isroutine(value))


@pytest.mark.parametrize("module", [ocu, _client], ids=lambda module: module.__name__)
def test_examples_in_docstrings_hold(module: Any) -> None:
    failed, tried = doctest.testmod(module)
    assert tried > 0
    assert failed == 0


def test_examples_in_docstrings_of_the_core_hold() -> None:
    tried = 0
    for name in ocu.__all__:
        example = doctest.DocTestParser().get_doctest(getattr(ocu, name).__doc__ or "", vars(ocu).copy(), name, None, 0)
        if example.examples and inspect.isbuiltin(getattr(ocu, name)):
            results = doctest.DocTestRunner().run(example)
            assert results.failed == 0
            tried += 1
    assert tried == 9


def test_the_blocking_client_is_generated_from_the_async_one() -> None:
    client, awaited = _client.UsageClient, ocu.AsyncUsageClient
    options: dict[str, Any] = {"api_key": "key", "base_url": "https://api.example.com"}
    groups = ("usage", "tags", "sandboxes")
    twins = [(type(getattr(client(**options), name)), type(getattr(awaited(**options), name))) for name in groups]
    for own, twin in [*twins, (client, awaited)]:
        own_names = {each.replace("aclose", "close").replace("__a", "__") for each in vars(twin)}
        assert set(vars(own)) == own_names
