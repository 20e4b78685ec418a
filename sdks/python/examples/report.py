"""The demo's report: who used what in the ninety days before today, in whole GB-seconds.

Reads OPENCOMPUTER_API_URL and OPENCOMPUTER_API_KEY. The TypeScript SDK has the same report; both print the same.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

from opencomputer_usage import TagValidationError, UsageClient

TO = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
FROM = TO - timedelta(days=90)


def whole(amount: float) -> str:
    return f"{math.floor(amount + 0.5):,}"


def share(part: float, of: float) -> str:
    permille = math.floor(1000 * part / of + 0.5) if of else 0
    return f"{permille // 10}.{permille % 10}%"


def bar(amount: float, largest: float) -> str:
    return "▁▂▃▄▅▆▇█"[min(7, math.floor(8 * amount / largest))] if amount else " "


def table(rows: list[list[str]], text_columns: int) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if index < text_columns else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  " + "  ".join(cells).rstrip())


def main() -> None:
    with UsageClient() as client:
        print(f"Usage from {FROM:%Y-%m-%d} to {TO:%Y-%m-%d}, in GB-seconds\n")

        teams = client.usage.by_tag("team", from_=FROM, to=TO, interval="1w")
        total = teams.total
        untagged = teams.untagged
        items = list(teams)
        groups = [
            (
                item.tag_value,
                item.sandbox_count,
                item.memory_gb_seconds,
                item.disk_overage_gb_seconds,
            )
            for item in items
        ]
        if untagged:
            groups.append(
                (
                    "(untagged)",
                    untagged.sandbox_count,
                    untagged.memory_gb_seconds,
                    untagged.disk_overage_gb_seconds,
                )
            )
        groups.append(
            (
                "total",
                sum(count for _, count, _, _ in groups),
                total.memory_gb_seconds,
                total.disk_overage_gb_seconds,
            )
        )
        rows = [["team", "sandboxes", "memory", "share", "disk overage", "share"]]
        for name, count, memory, disk in groups:
            memory_share = share(memory, total.memory_gb_seconds)
            disk_share = share(disk, total.disk_overage_gb_seconds)
            rows.append([name, str(count), whole(memory), memory_share, whole(disk), disk_share])
        table(rows, 1)

        by_team = sum(memory for _, _, memory, _ in groups[:-1])
        sandboxes = list(client.usage.by_sandbox(from_=FROM, to=TO, limit=100))
        by_sandbox = sum(item.memory_gb_seconds for item in sandboxes)
        holds = all(math.isclose(part, total.memory_gb_seconds, rel_tol=1e-9) for part in (by_team, by_sandbox))
        print(
            f"\n  memory: teams + untagged {whole(by_team)} = {len(sandboxes)} sandboxes {whole(by_sandbox)}"
            f" = total {whole(total.memory_gb_seconds)}: {'the sums reconcile' if holds else 'THE SUMS DIFFER'}"
        )

        print("\nMemory by week\n")
        weekly = [(item.tag_value, item.series.memory_gb_seconds) for item in items]
        if untagged:
            weekly.append(("(untagged)", untagged.series.memory_gb_seconds))
        weekly.append(("total", total.series.memory_gb_seconds))
        rows = [["week", *(f"{name}  " for name, _ in weekly)]]
        for index, bucket in enumerate(teams.buckets):
            cells = [f"{whole(amounts[index])} {bar(amounts[index], max(amounts))}" for _, amounts in weekly]
            rows.append([bucket.from_[:10] + ("*" if bucket.partial else ""), *cells])
        table(rows, 1)
        print("\n  * cut by the window; bars compare the weeks of a column")

        print("\nTop five sandboxes\n")
        rows = [["sandbox", "alias", "team", "status", "memory", "disk overage"]]
        for item in sandboxes[:5]:
            amounts = [whole(item.memory_gb_seconds), whole(item.disk_overage_gb_seconds)]
            rows.append(
                [
                    item.sandbox_id,
                    item.alias or "-",
                    (item.tags or {}).get("team", "-"),
                    item.status or "-",
                    *amounts,
                ]
            )
        table(rows, 4)

        top = next(item.sandbox_id for item in sandboxes if item.tags)
        one = client.usage.for_sandbox(top, from_=FROM, to=TO)
        print(f"\nDrilldown of {top}\n")
        rows = [["memory", f"{whole(one.memory_gb_seconds)} GB-seconds"]]
        rows.append(["disk overage", f"{whole(one.disk_overage_gb_seconds or 0)} GB-seconds"])
        rows.append(["first started", one.first_started_at or "-"])
        rows.append(["last ended", one.last_ended_at or "still open"])
        tags = client.tags.get(top).tags
        rows.append(["tags", ", ".join(f"{key}={value}" for key, value in sorted(tags.items()))])
        table(rows, 2)

        print("\nInvalid tags, rejected before they are sent\n")
        try:
            client.tags.set(top, {"oc:team": "payments", "cost center": "42", "owner": "x" * 257})
        except TagValidationError as error:
            table(
                [[violation.key or "-", violation.code, violation.message] for violation in error.violations],
                3,
            )

        before = client.tags.get(top)
        after = client.tags.update(top, lambda tags: {**tags, "reviewed": "yes"})
        added = ", ".join(f"{key}={value}" for key, value in after.tags.items() if key not in before.tags)
        client.tags.set(
            top,
            {key: value for key, value in after.user_tags.items() if key in before.tags},
            if_match=after.condition(),
        )
        print(f"\nA tag update of {top}: added {added}, then took it back")
        if not holds:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
