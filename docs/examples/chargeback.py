"""Writes the usage of one month to a CSV file: a row for each team, or for each team and customer.

$ python chargeback.py --month 2026-10 --by team customer --time-zone Europe/Berlin -o report.csv

Amounts are GB-seconds, rounded so that the rows add up exactly to the total. The URL of the API and the key come from
OPENCOMPUTER_API_URL and OPENCOMPUTER_API_KEY.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal

from opencomputer_usage import GroupUsageItem, OpenComputerError, UntaggedUsage, UsageClient

UNIT = Decimal("0.001")


def month(text: str) -> tuple[date, date]:
    """Returns the first day of a month and of the month after it."""
    try:
        first = date.fromisoformat(f"{text}-01")
        return first, (first + timedelta(days=31)).replace(day=1)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"`{text}` is not a month such as 2026-10") from None


def cell(text: str | None) -> str:
    """Returns a cell that no spreadsheet runs as a formula, even if it splits cells at semicolons and line breaks."""
    if text is None:
        return "(untagged)"
    return re.sub(r"^(?=[\t\r\n])|(?:^|(?<=[;\r\n]))(?=[=+\-@\uff1d\uff0b\uff0d\uff20])", "'", text)


def rounded(amounts: list[float], total: float) -> list[Decimal]:
    """Rounds amounts to a unit so that they add up to the rounded total: the largest remainders are rounded up."""
    exact = [Decimal(amount) for amount in amounts]
    cells = [amount.quantize(UNIT, ROUND_FLOOR) for amount in exact]
    missing = int((Decimal(total).quantize(UNIT) - sum(cells)) / UNIT)
    if not 0 <= missing <= len(cells):
        sys.exit("error: tags changed while the report was read, run it again")
    for index in sorted(range(len(cells)), key=lambda index: cells[index] - exact[index])[:missing]:
        cells[index] += UNIT
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes the usage of one month to a CSV file.")
    parser.add_argument("--month", type=month, required=True, help="such as 2026-10")
    parser.add_argument("--by", nargs="+", default=["team"], metavar="TAG", help="one to three tags (default: team)")
    parser.add_argument("--time-zone", default="UTC", help="whose month it is, such as Europe/Berlin (default: UTC)")
    parser.add_argument("-o", "--output", required=True, help="the file to write")
    options = parser.parse_args()
    start, end = options.month

    with UsageClient() as client:
        tags = [f"tag:{key}" for key in options.by]
        page = client.usage.by(tags, from_=start, to=end, time_zone=options.time_zone, limit=500)
        rows: list[tuple[list[str | None], GroupUsageItem | UntaggedUsage]] = []
        for item in page:  # and all later pages
            rows.append((list(item.group.values()), item))
    if page.untagged:
        rows.append(([None] * len(tags), page.untagged))
    memory = rounded([usage.memory_gb_seconds for _, usage in rows], page.total.memory_gb_seconds)
    disk = rounded([usage.disk_overage_gb_seconds for _, usage in rows], page.total.disk_overage_gb_seconds)

    with open(options.output, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        names = ["sandboxes", "memory_gb_seconds", "disk_overage_gb_seconds"]
        writer.writerow(["month", *map(cell, options.by), *names])
        for (values, usage), *amounts in zip(rows, memory, disk, strict=True):
            writer.writerow([f"{start:%Y-%m}", *map(cell, values), usage.sandbox_count, *amounts])
    print(f"{len(rows)} rows, memory {sum(memory)}, disk overage {sum(disk)} GB-seconds", file=sys.stderr)
    if page.as_of_datetime and page.as_of_datetime < page.to_datetime:
        print(f"the month is not over: this is its usage until {page.as_of}", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except (OpenComputerError, OSError) as error:
        sys.exit(f"error: {error}")
