"""Pages and tags: no network. Peers do the same work as far as they can."""

from __future__ import annotations

import dataclasses
import json
import random
import re
from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated, Any

import opencomputer_usage as ocu

from figures import Figures, interleaved

ITEMS = 500
ROUNDS = 101


def page() -> bytes:
    """Returns a page of 500 sandboxes with five tags each, about 151 KB, as compact as the server writes it."""
    draw = random.Random(7)
    items = [
        {
            "sandboxId": f"sb-{draw.getrandbits(32):08x}",
            "alias": f"{draw.choice(['agent', 'worker', 'notebook'])}-{number:05d}",
            "status": draw.choice(["running", "hibernated", "stopped"]),
            "tags": {
                "team": draw.choice(["payments", "search", "growth", "platform", "ml"]),
                "env": draw.choice(["prod", "staging", "dev"]),
                "customer": draw.choice(["acme", "wayne", "globex", "initech", "umbrella"]),
                "service": draw.choice(["checkout", "ledger", "indexer", "gateway"]),
                "cost-center": f"cc-{draw.randrange(40):04d}",
            },
            "tagsLastUpdatedAt": f"2026-04-{draw.randrange(1, 29):02d}T14:02:{draw.randrange(60):02d}.{draw.randrange(10**6):06d}Z",
            "memoryGbSeconds": draw.getrandbits(50) / 1_024_000_000,
            "diskOverageGbSeconds": draw.getrandbits(47) / 1_024_000_000,
        }
        for number in range(ITEMS)
    ]
    whole = {
        "from": "2026-03-01T00:00:00Z",
        "to": "2026-04-01T00:00:00Z",
        "asOf": "2026-04-02T00:00:00Z",
        "groupBy": "sandbox",
        "total": {"memoryGbSeconds": 6.0e8, "diskOverageGbSeconds": 5.0e7},
        "items": items,
        "nextCursor": None,
    }
    return json.dumps(whole, separators=(",", ":")).encode()


def two_fields(items: Any) -> float:
    total = 0.0
    for item in items:
        item.sandbox_id  # noqa: B018 - reading it is the point
        total += item.memory_gb_seconds
    return total


def every_field(items: Any) -> int:
    tags = 0
    for item in items:
        item.sandbox_id, item.alias, item.status, item.memory_gb_seconds, item.disk_overage_gb_seconds  # noqa: B018
        item.tags_last_updated_at  # noqa: B018
        tags += item.tags is not None
    return tags


def every_tag(items: Any) -> int:
    return sum(every_field([item]) + len(dict(item.tags)) for item in items)


@dataclasses.dataclass(frozen=True)
class Amounts:
    memory_gb_seconds: float
    disk_overage_gb_seconds: float


@dataclasses.dataclass(frozen=True)
class Item:
    sandbox_id: str
    memory_gb_seconds: float
    disk_overage_gb_seconds: float
    tags: dict[str, str]
    tags_last_updated_at: str | None
    alias: str | None = None
    status: str | None = None


@dataclasses.dataclass(frozen=True)
class Page:
    from_: str
    to: str
    as_of: str
    group_by: str
    total: Amounts
    items: list[Item]
    next_cursor: str | None


WIRE = {"from_": "from", "as_of": "asOf", "group_by": "groupBy", "next_cursor": "nextCursor"}
WIRE |= {"sandbox_id": "sandboxId", "tags_last_updated_at": "tagsLastUpdatedAt"}
WIRE |= {"sandbox_count": "sandboxCount"}
WIRE |= {"memory_gb_seconds": "memoryGbSeconds", "disk_overage_gb_seconds": "diskOverageGbSeconds"}


def plain_items(body: bytes) -> list[Item]:
    decoded = json.loads(body)
    total = decoded["total"]
    return Page(
        decoded["from"],
        decoded["to"],
        decoded["asOf"],
        decoded["groupBy"],
        Amounts(total["memoryGbSeconds"], total["diskOverageGbSeconds"]),
        [
            Item(
                item["sandboxId"],
                item["memoryGbSeconds"],
                item["diskOverageGbSeconds"],
                item["tags"],
                item["tagsLastUpdatedAt"],
                item.get("alias"),
                item.get("status"),
            )
            for item in decoded["items"]
        ],
        decoded["nextCursor"],
    ).items


def msgspec_items() -> Any:
    import msgspec

    class Amounts(msgspec.Struct, rename=WIRE, frozen=True):
        memory_gb_seconds: float
        disk_overage_gb_seconds: float

    class Item(msgspec.Struct, rename=WIRE, frozen=True):
        sandbox_id: str
        memory_gb_seconds: float
        disk_overage_gb_seconds: float
        tags: dict[str, str]
        tags_last_updated_at: str | None
        alias: str | None = None
        status: str | None = None

    Page = msgspec.defstruct(
        "Page",
        [
            ("from_", str),
            ("to", str),
            ("as_of", str),
            ("group_by", str),
            ("total", Amounts),
            ("items", list[Item]),
            ("next_cursor", str | None),
        ],
        rename=WIRE,
        frozen=True,
    )
    return msgspec.json.Decoder(Page).decode


def pydantic_items() -> Any:
    import pydantic

    class Model(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(frozen=True, alias_generator=lambda name: WIRE.get(name, name))

    Amounts = pydantic.create_model(
        "Amounts", __base__=Model, memory_gb_seconds=(float, ...), disk_overage_gb_seconds=(float, ...)
    )
    Item = pydantic.create_model(
        "Item",
        __base__=Model,
        sandbox_id=(str, ...),
        memory_gb_seconds=(float, ...),
        disk_overage_gb_seconds=(float, ...),
        tags=(dict[str, str], ...),
        tags_last_updated_at=(str | None, ...),
        alias=(str | None, None),
        status=(str | None, None),
    )
    Page = pydantic.create_model(
        "Page",
        __base__=Model,
        from_=(str, ...),
        to=(str, ...),
        as_of=(str, ...),
        group_by=(str, ...),
        total=(Amounts, ...),
        items=(list[Item], ...),
        next_cursor=(str | None, ...),
    )
    return Page.model_validate_json


def measure_pages(figures: Figures) -> None:
    body = page()
    figures.add("size of the page", "KB", [len(body) / 1000])
    decode, validate = msgspec_items(), pydantic_items()
    readers: dict[str, Any] = {
        "ours": lambda: ocu.SandboxUsagePage.from_json(body).items,
        "msgspec": lambda: decode(body).items,
        "pydantic": lambda: validate(body).items,
        "json": lambda: plain_items(body),
    }
    bars: dict[str, Any] = {
        "two fields": (two_fields, {"msgspec": 1.8}),
        "every field": (every_field, {"msgspec": 0.95, "pydantic": 2, "json": 2.5}),
        "every field, tags as dicts": (every_tag, {"msgspec": None}),
    }
    for name, (read, peers) in bars.items():
        if len({read(make()) for make in readers.values()}) != 1:
            raise SystemExit(f"the peers read other values for: {name}")
        names = ["ours", *peers]
        cases = {who: (lambda make=readers[who], read=read: read(make())) for who in names}
        times = interleaved(cases, rounds=ROUNDS)
        figures.add(f"page, {name}", "us", [second * 1e6 for second in times["ours"]])
        for who, bar in peers.items():
            label = {"json": "json + dataclass", "msgspec": "msgspec Struct", "pydantic": "pydantic v2"}[who]
            figures.ratios(f"page, {name}, vs {label}", times["ours"], times[who], at_least=bar)


BUCKETS = 90


def series_page() -> bytes:
    """Returns a page of 500 groups and 90 days, as compact as the server writes it."""
    draw = random.Random(7)

    def series() -> dict[str, list[float]]:
        memory = [draw.getrandbits(44) / 1_024_000_000 for _ in range(BUCKETS)]
        disk = [draw.getrandbits(41) / 1_024_000_000 if draw.random() < 0.5 else 0.0 for _ in range(BUCKETS)]
        return {"memoryGbSeconds": memory, "diskOverageGbSeconds": disk}

    def amounts() -> dict[str, Any]:
        parts = series()
        return {**{name: sum(numbers) for name, numbers in parts.items()}, "series": parts}

    days = [date(2026, 1, 1) + timedelta(days=day) for day in range(BUCKETS + 1)]
    whole = {
        "from": f"{days[0]}T00:00:00Z",
        "to": f"{days[-1]}T00:00:00Z",
        "asOf": "2026-04-02T00:00:00Z",
        "interval": "1d",
        "timezone": "UTC",
        "buckets": [{"from": f"{one}T00:00:00Z", "to": f"{next_}T00:00:00Z"} for one, next_ in pairwise(days)],
        "groupBy": "tag:team,tag:customer",
        "total": amounts(),
        "untagged": {**amounts(), "sandboxCount": 7},
        "items": [
            {
                "group": {"tag:team": f"team-{number % 20}", "tag:customer": f"customer-{number}"},
                **amounts(),
                "sandboxCount": draw.randrange(1, 900),
            }
            for number in range(ITEMS)
        ],
        "nextCursor": None,
    }
    return json.dumps(whole, separators=(",", ":")).encode()


def msgspec_series() -> Any:
    import msgspec

    def struct(name: str, **fields: Any) -> Any:
        return msgspec.defstruct(name, fields.items(), rename=WIRE, frozen=True)

    series = struct("Series", memory_gb_seconds=list[float], disk_overage_gb_seconds=list[float])
    amounts = {"memory_gb_seconds": float, "disk_overage_gb_seconds": float, "series": series}
    part = {**amounts, "sandbox_count": int}
    bucket = msgspec.defstruct(
        "Bucket", [("from_", str), ("to", str), ("partial", bool, False)], rename=WIRE, frozen=True
    )
    page = struct(
        "Page",
        from_=str,
        to=str,
        as_of=str,
        interval=str,
        timezone=str,
        buckets=list[bucket],
        group_by=str,
        total=struct("Amounts", **amounts),
        untagged=struct("Part", **part),
        items=list[struct("Item", group=dict[str, str | None], **part)],
        next_cursor=str | None,
    )
    return msgspec.json.Decoder(page).decode


def count_of(items: Any) -> int:
    return len(items)


def every_number(items: Any) -> float:
    return sum(sum(item.series.memory_gb_seconds) + sum(item.series.disk_overage_gb_seconds) for item in items)


def measure_series(figures: Figures) -> None:
    body = series_page()
    figures.add("size of the page with series", "KB", [len(body) / 1000])
    decode = msgspec_series()
    readers: dict[str, Any] = {
        "ours": lambda: ocu.GroupUsagePage.from_json(body).items,
        "msgspec": lambda: decode(body).items,
    }
    for name, read, bar in (("bytes to page", count_of, 1), ("every number read", every_number, None)):
        if len({read(make()) for make in readers.values()}) != 1:
            raise SystemExit(f"the peers read other values for: {name}")
        cases = {who: (lambda make=make, read=read: read(make())) for who, make in readers.items()}
        times = interleaved(cases, rounds=ROUNDS)
        figures.add(f"page with series, {name}", "us", [second * 1e6 for second in times["ours"]])
        label = f"page with series, {name}, vs msgspec Struct"
        figures.ratios(label, times["ours"], times["msgspec"], at_least=bar)


ALLOWED_KEY = re.compile(r"[A-Za-z0-9_.:-]{1,128}").fullmatch


def pure_python(tags: dict[str, str]) -> list[str]:
    """Checks tags in one hand-written loop and returns only whether they are valid."""
    faults = ["too many"] if len(tags) > 50 else []
    for key, value in tags.items():
        if not isinstance(key, str) or not ALLOWED_KEY(key) or key.startswith("oc:"):
            faults.append(f"bad key {key!r}")
        if not isinstance(value, str) or len(value) > 256 or "\0" in value or not is_unicode(value):
            faults.append(f"bad value of {key!r}")
    return faults


def is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def pydantic_tags() -> Any:
    from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter

    def unreserved(tags: dict[str, str]) -> dict[str, str]:
        for key in tags:
            if key.startswith("oc:"):
                msg = "reserved prefix"
                raise ValueError(msg)
        return tags

    key = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.:-]+$")]
    value = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00]*$")]
    return TypeAdapter(Annotated[dict[key, value], Field(max_length=50), AfterValidator(unreserved)]).validate_python


def measure_tags(figures: Figures) -> None:
    validate = pydantic_tags()
    for count in (10, 50):
        tags = {f"cost-center.{number:02d}": f"value of the tag, number {number}" for number in range(count)}
        cases = {
            "ours": lambda tags=tags: ocu.validate_tags(tags),
            "pydantic": lambda tags=tags: validate(tags),
            "python": lambda tags=tags: pure_python(tags),
        }
        times = interleaved(cases, rounds=ROUNDS)
        figures.add(f"validate_tags, {count} tags", "us", [second * 1e6 for second in times["ours"]])
        figures.ratios(f"validate_tags, {count} tags, vs pydantic v2", times["ours"], times["pydantic"], at_least=5)
        figures.ratios(f"validate_tags, {count} tags, vs pure Python", times["ours"], times["python"], at_least=8)
