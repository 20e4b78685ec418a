"""Models: immutable, compared by value, hashable, picklable."""

from __future__ import annotations

import copy
import dataclasses
import doctest
import inspect
import json
import operator
import pickle
from typing import Any

import pytest
from samples import STATE, cursor, sandbox_page, tag_page

import opencomputer_usage as ocu
from opencomputer_usage import _base, _client, _core, _errors, _functions, _models

SANDBOX = {
    "sandboxID": "sb-1",
    "status": "running",
    "region": "use2",
    "workerID": "w-1",
    "template": "base",
    "startedAt": "2026-03-01T00:00:00Z",
}
WIRE: list[tuple[type[_models.Model], dict[str, Any]]] = [
    (ocu.TagUsagePage, tag_page(["a", "b"], cursor(1))),
    (ocu.AsyncTagUsagePage, tag_page(["a"])),
    (ocu.SandboxUsagePage, sandbox_page(["sb-1"])),
    (ocu.AsyncSandboxUsagePage, sandbox_page([])),
    (ocu.SandboxTags, {**STATE, "etag": None}),
    (ocu.Sandbox, SANDBOX),
    (ocu.Sandbox, {**SANDBOX, "alias": "x", "tags": {}, "tagsLastUpdatedAt": None}),
    (ocu.TagViolation, {"code": "key_empty", "key": "", "message": "no"}),
    (ocu.GroupBy, {"kind": "sandbox"}),
    (ocu.Cursor, {"v": 1.5, "t": "x"}),
]


@pytest.mark.parametrize(("model", "wire"), WIRE, ids=lambda value: getattr(value, "__name__", ""))
def test_a_model_is_a_value(model: type[_models.Model], wire: dict[str, Any]) -> None:
    value: Any = model.from_wire({**wire, "member of later": 1})
    assert value.to_dict() == wire
    assert json.loads(json.dumps(value.to_dict())) == wire
    for twin in (model.from_wire(wire), pickle.loads(pickle.dumps(value)), copy.deepcopy(value)):
        assert twin == value
        assert hash(twin) == hash(value)
        assert type(twin) is model
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, "other")
    with pytest.raises((AttributeError, TypeError)):
        value.other = 1
    assert not hasattr(value, "__dict__")
    assert repr(value).startswith(f"{model.__name__}({name}=")


def test_a_page_shows_how_many_items_it_has() -> None:
    page = ocu.TagUsagePage.from_wire(tag_page(["a", "b"]))
    assert "group_by='tag:team'" in repr(page)
    assert "items=<2>, next_cursor=None)" in repr(page)


def test_pages_of_both_clients_hold_the_same() -> None:
    wire = tag_page(["a"])
    blocking, awaited = ocu.TagUsagePage.from_wire(wire), ocu.AsyncTagUsagePage.from_wire(wire)
    assert blocking.to_dict() == awaited.to_dict()


def test_tags_cannot_be_changed() -> None:
    tags: Any = ocu.SandboxTags.from_wire({**STATE, "etag": None}).tags

    def merge() -> None:
        merged = tags
        merged |= {"a": "b"}

    for change in (
        lambda: operator.setitem(tags, "a", "b"),
        lambda: operator.delitem(tags, "team"),
        lambda: tags.update(a="b"),
        lambda: tags.pop("team"),
        lambda: tags.setdefault("a", "b"),
        lambda: tags.popitem(),
        lambda: tags.clear(),
        merge,
    ):
        with pytest.raises(TypeError, match="cannot be changed"):
            change()
    assert {**tags, "env": "prod"} == {**STATE["tags"], "env": "prod"}
    assert json.dumps(tags) == json.dumps(STATE["tags"])


def test_the_limits_are_all_there() -> None:
    assert ocu.LIMITS.to_dict() == json.loads(_core.limits())
    assert ocu.LIMITS.max_tags == 50


def test_every_error_has_one_class() -> None:
    def below(kind: type[ocu.OpenComputerError]) -> set[type[ocu.OpenComputerError]]:
        return {kind, *(each for sub in kind.__subclasses__() for each in below(sub))}

    assert below(ocu.OpenComputerError) - {ocu.OpenComputerError} == set(_errors._CLASSES.values())
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
            method = getattr(getattr(blocking, group), name)
            assert inspect.signature(method) == inspect.signature(getattr(getattr(awaited, group), name))
            assert method.__doc__


def test_everything_exported_is_there() -> None:
    assert all(hasattr(ocu, name) for name in ocu.__all__)
    assert ocu.__version__ == _core.__version__


@pytest.mark.parametrize("module", [ocu, _functions, _client, _base], ids=lambda module: module.__name__)
def test_examples_in_docstrings_hold(module: Any) -> None:
    failed, tried = doctest.testmod(module)
    assert tried > 0
    assert failed == 0
