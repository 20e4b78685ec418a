#!/usr/bin/env python3
"""Computes `tests/vectors/grids.json` and `tests/vectors/splits.json`, independently of the core.

Local days come from Python's `zoneinfo`, by a search for the first instant at which the clock shows the day. Amounts
are the overlap of every event with every bucket, in integers. Run it after changing a case:

    python3 tests/oracle/grids.py
"""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

VECTORS = Path(__file__).parent.parent / "vectors"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
STEPS = {"1m": 60, "1h": 3600}
INCLUDED_DISK_MB = 20_480


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def written(at: datetime) -> str:
    at = at.astimezone(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{at.microsecond:06}Z" if at.microsecond else "Z")


def first_instant(day: date, zone: ZoneInfo) -> datetime:
    """The first instant at which the clock shows the day or a later one."""

    def shows(at: datetime) -> bool:
        return at.astimezone(zone).date() >= day

    # No clock shows a day for less than a whole minute.
    step, at = timedelta(minutes=1), datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=40)
    assert not shows(at)
    while not shows(at + step):
        at += step
    while not shows(at):
        at += SECOND
    return at


def unit(day: date, interval: str) -> date:
    if interval == "1w":
        return day - timedelta(days=day.isoweekday() - 1)
    return day.replace(day=1) if interval == "1mo" else day


def next_unit(day: date, interval: str) -> date:
    if interval == "1mo":
        return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return day + timedelta(days=7 if interval == "1w" else 1)


def calendar(start: datetime, end: datetime, interval: str, zone: ZoneInfo) -> list[datetime]:
    """Every edge of the calendar, from one before the window to one after it."""
    edges: list[datetime] = []
    day = unit(start.astimezone(zone).date() - timedelta(days=2), interval)
    while not edges or edges[-1] <= end:
        following = next_unit(day, interval)
        edge, last = first_instant(day, zone), first_instant(following, zone)
        while edge < last:
            edges.append(edge)
            edge = edge + STEPS[interval] * SECOND if interval in STEPS else last
        day = following
    return edges


def buckets(case: dict) -> list[dict]:
    zone = ZoneInfo(case.get("timezone", "UTC"))
    start, end = (
        first_instant(date.fromisoformat(case[name]), zone) if len(case[name]) == 10 else instant(case[name])
        for name in ("from", "to")
    )
    grid = calendar(start, end, case["interval"], zone)
    edges = [start, *(edge for edge in grid if start < edge < end), end]
    found = []
    for index, (first, last) in enumerate(zip(edges, edges[1:])):
        bucket = {"from": written(first), "to": written(last)}
        is_cut = (index == 0 and start not in grid) or (index == len(edges) - 2 and end not in grid)
        found.append(bucket | ({"partial": True} if is_cut else {}))
    return found


def overlap(first: int, last: int, start: int, end: int) -> int:
    return max(0, min(last, end) - max(first, start))


def mb(number: int, unit: int) -> int:
    """Rounds half up."""
    return (2 * number + unit) // (2 * unit)


def split(case: dict) -> dict:
    """The series of the billed usage, and the points of the drilldown if all events are those of one sandbox."""
    start, end, as_of = (micros(instant(case[name])) for name in ("from", "to", "asOf"))
    edges = [(micros(instant(bucket["from"])), micros(instant(bucket["to"]))) for bucket in buckets(case)]
    memory, disk, allocated = [0] * len(edges), [0] * len(edges), [0] * len(edges)
    spans: list[tuple[int, int]] = []
    peak = 0
    for event in case["events"]:
        began, ended = micros(instant(event["startedAt"])), event["endedAt"] and micros(instant(event["endedAt"]))
        if began >= min(end, as_of) or start >= as_of or (ended is not None and ended <= start):
            continue
        is_open = ended is None or ended > as_of
        began, clipped = max(began, start), min(end, as_of) if is_open else min(ended, end)
        stop = ended if case["rule"] == "v1" and not is_open else clipped
        for index, (first, last) in enumerate(edges):
            is_last = index == len(edges) - 1
            billed = overlap(first, max(last, stop) if is_last else last, began, stop)
            memory[index] += event["memoryMb"] * billed
            disk[index] += max(0, event["diskMb"] - INCLUDED_DISK_MB) * billed
            allocated[index] += event["memoryMb"] * overlap(first, last, began, clipped)
        if clipped > began:
            spans.append((began, clipped))
            peak = max(peak, event["memoryMb"])
    minutes: dict[int, list[int]] = {}
    for sample in case.get("samples", []):
        minutes.setdefault(micros(instant(sample["sampledAt"])) // 60_000_000, []).append(sample["memoryBytes"])
    points, instants = [], sorted({at for span in spans for at in span})
    for index, (first, last) in enumerate(edges):
        up = sum(
            overlap(first, last, a, b)
            for a, b in zip(instants, instants[1:])
            if any(s <= a and b <= e for s, e in spans)
        )
        used, used_peak = 0, 0
        for minute, bytes_used in minutes.items():
            part = overlap(first, min(last, as_of), minute * 60_000_000, (minute + 1) * 60_000_000)
            used += mb(sum(bytes_used), len(bytes_used)) * part
            used_peak = max(used_peak, max(bytes_used)) if part else used_peak
        points.append(
            {
                "ts": written(EPOCH + timedelta(microseconds=first)),
                "memoryAllocatedGbSeconds": allocated[index] / 1_024_000_000,
                "memoryUsedGbSeconds": used / (2**30 * 1_000_000),
                "uptimeSeconds": up / 1_000_000,
                "allocatedMemoryMb": mb(allocated[index], last - first),
                "usedMemoryMbAvg": mb(used, (last - first) << 20),
                "usedMemoryMbPeak": mb(used_peak, 1 << 20),
            }
        )
    return {
        "memory": [str(amount) for amount in memory],
        "diskOverage": [str(amount) for amount in disk],
        "points": points,
        "memoryAllocatedPeakMb": peak,
    }


def grid(name: str, interval: str, start: str, end: str, zone: str | None = None) -> dict:
    case = {"name": name, "timezone": zone, "interval": interval, "from": start, "to": end}
    case = {member: value for member, value in case.items() if value is not None}
    return case | {"buckets": buckets(case)}


GRIDS = [
    grid("days of UTC without a time zone", "1d", "2026-01-10", "2026-01-13"),
    grid("UTC may be given", "1d", "2026-01-10", "2026-01-13", "UTC"),
    grid("a window within one bucket is one partial bucket", "1d", "2026-01-10T06:00:00Z", "2026-01-10T07:00:00Z"),
    grid("a window of exactly one bucket is not partial", "1h", "2026-01-10T06:00:00Z", "2026-01-10T07:00:00Z"),
    grid("a window cuts the start", "1d", "2026-01-10T00:00:00.000001Z", "2026-01-12T00:00:00Z"),
    grid("a window cuts the end", "1d", "2026-01-10T00:00:00Z", "2026-01-11T23:59:59.999999Z"),
    grid("a window cuts both edges", "1h", "2026-01-10T05:30:00Z", "2026-01-10T08:15:00Z"),
    grid("a window of one microsecond", "1m", "2026-01-10T05:30:00Z", "2026-01-10T05:30:00.000001Z"),
    grid("the window cuts minutes", "1m", "2026-01-10T05:30:30Z", "2026-01-10T05:33:10.5Z"),
    grid("ISO weeks start on Monday, across the end of a year", "1w", "2025-12-22", "2026-01-12"),
    grid("a year that ends within its week 53 has no shorter week", "1w", "2020-12-30", "2021-01-13"),
    grid("ISO weeks start on local Mondays", "1w", "2026-01-05", "2026-01-26", "Pacific/Auckland"),
    grid("months from the 31st are calendar months", "1mo", "2026-01-31", "2026-04-01"),
    grid("months end on their own last day", "1mo", "2025-12-31", "2026-03-31"),
    grid("a leap day belongs to its month", "1mo", "2024-02-01", "2024-04-01"),
    grid("a leap day is a day", "1d", "2024-02-28", "2024-03-02"),
    grid("a February without a leap day has 28 days", "1w", "2026-02-23", "2026-03-09"),
    grid("Chicago, a day of 25 hours", "1d", "2022-11-05", "2022-11-08", "America/Chicago"),
    grid("Chicago, the hour that happens twice is two hours", "1h", "2022-11-06", "2022-11-07", "America/Chicago"),
    grid("Chicago, a day of 23 hours", "1h", "2022-03-13", "2022-03-14", "America/Chicago"),
    grid("Paris, a day of 25 hours", "1d", "2025-10-25", "2025-10-28", "Europe/Paris"),
    grid("Paris, the week of the change", "1w", "2025-10-20", "2025-11-03", "Europe/Paris"),
    grid("Paris, the month of the change", "1mo", "2025-10-01", "2025-12-01", "Europe/Paris"),
    grid("New York, a day of 25 hours", "1d", "2024-11-02", "2024-11-05", "America/New_York"),
    grid("New York, 90 calendar days with a day of 25 hours", "1mo", "2024-10-01", "2024-12-30", "America/New_York"),
    grid("Amman, midnight does not exist", "1d", "2021-03-25", "2021-03-28", "Asia/Amman"),
    grid("Amman, hours of the day without a midnight", "1h", "2021-03-26", "2021-03-27", "Asia/Amman"),
    grid("Cairo, midnight does not exist", "1d", "2026-04-23", "2026-04-26", "Africa/Cairo"),
    grid(
        "Cairo, a window that ends at a midnight that does not exist",
        "1h",
        "2026-04-23T18:00:00Z",
        "2026-04-24",
        "Africa/Cairo",
    ),
    grid(
        "Havana, midnight happens twice, the day starts at the earlier",
        "1d",
        "2026-10-31",
        "2026-11-03",
        "America/Havana",
    ),
    grid(
        "Havana, hours of the day with two midnights", "1h", "2026-11-01", "2026-11-01T09:00:00-05:00", "America/Havana"
    ),
    grid("Lord Howe, clocks change by half an hour", "1d", "2026-04-04", "2026-04-07", "Australia/Lord_Howe"),
    grid(
        "Lord Howe, the last hour of a day of 24.5 hours is cut",
        "1h",
        "2026-04-05",
        "2026-04-06",
        "Australia/Lord_Howe",
    ),
    grid(
        "Lord Howe, the last hour of a day of 23.5 hours is cut",
        "1h",
        "2026-10-04",
        "2026-10-05",
        "Australia/Lord_Howe",
    ),
    grid("Kathmandu, days start at a quarter past the hour in UTC", "1d", "2026-01-10", "2026-01-12", "Asia/Kathmandu"),
    grid(
        "Kathmandu, hours start at a quarter past the hour in UTC",
        "1h",
        "2026-01-09T23:00:00Z",
        "2026-01-10T02:00:00Z",
        "Asia/Kathmandu",
    ),
    grid("Kolkata, minutes are those of UTC", "1m", "2026-01-10T00:00:00Z", "2026-01-10T00:03:00Z", "Asia/Kolkata"),
    grid("Apia, the day that the zone skips has no bucket", "1d", "2011-12-28", "2012-01-02", "Pacific/Apia"),
    grid(
        "St. John's, a day whose first minute happens twice starts once",
        "1d",
        "2001-10-27",
        "2001-10-30",
        "America/St_Johns",
    ),
    grid(
        "St. John's, an instant of the hour before the second midnight",
        "1h",
        "2001-10-28T03:00:00Z",
        "2001-10-28T05:00:00Z",
        "America/St_Johns",
    ),
    grid(
        "Toronto, a gap that starts before midnight and ends after it",
        "1d",
        "1919-03-29",
        "1919-04-02",
        "America/Toronto",
    ),
    grid(
        "a zone with an offset from Greenwich of seconds",
        "1m",
        "1900-01-01T00:00:00Z",
        "1900-01-01T00:02:00Z",
        "Europe/Paris",
    ),
    grid(
        "instants keep their own offset in a time zone",
        "1d",
        "2026-01-10T00:00:00+05:45",
        "2026-01-12T00:00:00+05:45",
        "Asia/Kathmandu",
    ),
    grid("an old name of a zone", "1d", "2026-07-01", "2026-07-03", "US/Pacific"),
    grid("a zone by its offset, with the sign of POSIX", "1d", "2026-07-01", "2026-07-03", "Etc/GMT+5"),
]


def event(memory_mb: int, disk_mb: int, start: str, end: str | None) -> dict:
    return {"memoryMb": memory_mb, "diskMb": disk_mb, "startedAt": start, "endedAt": end}


def sample(at: str, memory_bytes: int) -> dict:
    return {"sampledAt": at, "memoryBytes": memory_bytes}


def splits(name: str, events: list[dict], samples: list[dict] | None = None, **changed: str) -> list[dict]:
    """One case for each rule."""
    base = {"interval": "1h", "from": "2026-01-10T00:00:00Z", "to": "2026-01-10T03:00:00Z"}
    base |= {"asOf": "2026-02-01T00:00:00Z"} | changed
    cases = []
    for rule in ("clipped", "v1"):
        case = {"name": f"{name}, {rule}", "rule": rule} | base | {"events": events}
        case |= {"samples": samples} if samples else {}
        cases.append(case | {"buckets": buckets(case)} | split(case))
    return cases


MIB = 1 << 20
SPLITS = [
    *splits("no event", []),
    *splits("an event within one bucket", [event(1024, 30_720, "2026-01-10T01:10:00Z", "2026-01-10T01:20:00Z")]),
    *splits(
        "an event over all buckets and beyond", [event(1024, 30_720, "2026-01-09T00:00:00Z", "2026-01-11T00:00:00Z")]
    ),
    *splits("an event over whole buckets", [event(1000, 20_480, "2026-01-10T00:00:00Z", "2026-01-10T02:00:00Z")]),
    *splits(
        "an event crosses an edge by one microsecond at its end",
        [event(1024, 20_481, "2026-01-10T00:30:00Z", "2026-01-10T01:00:00.000001Z")],
    ),
    *splits(
        "an event crosses an edge by one microsecond at its start",
        [event(1024, 20_481, "2026-01-10T00:59:59.999999Z", "2026-01-10T01:30:00Z")],
    ),
    *splits("an event ends at an edge", [event(1024, 20_481, "2026-01-10T00:30:00Z", "2026-01-10T01:00:00Z")]),
    *splits("an event starts at an edge", [event(1024, 20_481, "2026-01-10T01:00:00Z", "2026-01-10T01:30:00Z")]),
    *splits("an event of one microsecond", [event(3, 20_483, "2026-01-10T01:59:59.999999Z", "2026-01-10T02:00:00Z")]),
    *splits(
        "events that last zero, within a bucket and at an edge",
        [event(1024, 30_720, at, at) for at in ("2026-01-10T00:30:00Z", "2026-01-10T01:00:00Z")],
    ),
    *splits("an open event", [event(2048, 20_480, "2026-01-10T00:15:00Z", None)]),
    *splits(
        "an open event is measured until asOf",
        [event(2048, 20_480, "2026-01-10T00:15:00Z", None)],
        asOf="2026-01-10T01:45:00Z",
    ),
    *splits(
        "an event that ends after asOf is open",
        [event(2048, 20_480, "2026-01-10T00:15:00Z", "2026-01-10T02:45:00Z")],
        asOf="2026-01-10T01:45:00.500000Z",
    ),
    *splits(
        "an event that crossed the end of the window and ended since",
        [event(2048, 30_720, "2026-01-10T01:30:00Z", "2026-01-10T05:00:00Z")],
    ),
    *splits(
        "an event in the last bucket that ended since",
        [event(2048, 30_720, "2026-01-10T02:59:59.999999Z", "2026-01-10T03:00:00.000001Z")],
    ),
    *splits(
        "an event that crossed both ends and ended since",
        [event(512, 20_480, "2026-01-01T00:00:00Z", "2026-01-31T23:59:59.999999Z")],
    ),
    *splits("asOf before the window", [event(512, 20_480, "2026-01-01T00:00:00Z", None)], asOf="2026-01-09T00:00:00Z"),
    *splits(
        "events that overlap add up, and their common time counts once",
        [
            event(1024, 20_480, "2026-01-10T00:00:00Z", "2026-01-10T02:00:00Z"),
            event(2048, 20_480, "2026-01-10T01:30:00Z", "2026-01-10T02:30:00Z"),
            event(4096, 40_960, "2026-01-10T01:45:00Z", "2026-01-10T01:45:00.000001Z"),
        ],
    ),
    *splits(
        "the largest sizes over a long window",
        [event(2_147_483_647, 2_147_483_647, "2026-01-01T00:00:00Z", None)],
        interval="1mo",
        **{"from": "2026-01-15T00:00:00Z", "to": "2026-04-01T00:00:00Z"},
        asOf="2026-04-02T00:00:00Z",
    ),
    *splits("a mean of half a MB is rounded up", [event(1, 0, "2026-01-10T00:00:00Z", "2026-01-10T00:30:00Z")]),
    *splits(
        "buckets that the window cuts",
        [event(1024, 30_720, "2026-01-10T00:00:00Z", "2026-01-11T00:00:00Z")],
        **{"from": "2026-01-10T00:59:59.999999Z", "to": "2026-01-10T02:00:00.000001Z"},
    ),
    *splits(
        "a day of 25 hours",
        [event(1024, 30_720, "2022-11-01T00:00:00Z", "2022-11-30T00:00:00Z")],
        interval="1d",
        timezone="America/Chicago",
        **{"from": "2022-11-05T05:00:00Z", "to": "2022-11-08T06:00:00Z"},
    ),
    *splits(
        "a day without a midnight",
        [event(1024, 30_720, "2021-03-25T00:00:00Z", "2021-03-26T00:00:00Z")],
        interval="1d",
        timezone="Asia/Amman",
        **{"from": "2021-03-24T22:00:00Z", "to": "2021-03-26T21:00:00Z"},
    ),
    *splits(
        "samples count for their minute",
        [event(1024, 20_480, "2026-01-10T00:00:00Z", "2026-01-10T01:00:00Z")],
        [sample("2026-01-10T00:10:30Z", 512 * MIB), sample("2026-01-10T00:11:00Z", 256 * MIB)],
    ),
    *splits(
        "samples of one minute count with their mean, rounded to a byte, and their largest is the peak",
        [event(1024, 20_480, "2026-01-10T00:00:00Z", "2026-01-10T01:00:00Z")],
        [
            sample("2026-01-10T00:10:00Z", 1),
            sample("2026-01-10T00:10:20Z", 2),
            sample("2026-01-10T00:10:59.999999Z", 900 * MIB + 524_288),
        ],
    ),
    *splits(
        "a minute that the window cuts counts in part",
        [event(1024, 20_480, "2026-01-10T00:00:00Z", "2026-01-10T01:00:00Z")],
        [sample("2026-01-10T00:10:10Z", 600 * MIB), sample("2026-01-10T00:12:50Z", 300 * MIB)],
        interval="1m",
        **{"from": "2026-01-10T00:10:30Z", "to": "2026-01-10T00:12:15Z"},
    ),
    *splits(
        "a minute over an edge that is not at a whole minute counts in both buckets",
        [event(1024, 20_480, "1900-01-01T00:00:00Z", "1900-01-01T00:10:00Z")],
        [sample("1900-01-01T00:01:10Z", 600 * MIB)],
        interval="1m",
        timezone="Europe/Paris",
        **{"from": "1900-01-01T00:00:00Z", "to": "1900-01-01T00:03:00Z"},
    ),
    *splits(
        "the minute of asOf counts until asOf",
        [event(1024, 20_480, "2026-01-10T00:00:00Z", None)],
        [sample("2026-01-10T01:10:05Z", 600 * MIB)],
        asOf="2026-01-10T01:10:15Z",
    ),
]


def write(suite: str, cases: list[dict]) -> None:
    names = [case["name"] for case in cases]
    assert len(names) == len(set(names)), "two cases have the same name"
    file = {"$schema": "./schema.json", "suite": suite, "cases": cases}
    (VECTORS / f"{suite}.json").write_text(json.dumps(file, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    write("grids", GRIDS)
    write("splits", SPLITS)
