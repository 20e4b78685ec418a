"""Sets tags of many sandboxes from a CSV file with the columns sandbox_id, key and value.

$ python retag.py fleet.csv            # checks every row and shows what would change
$ python retag.py fleet.csv --apply    # does it

Other tags stay as they are, even if somebody changes them at the same time. Only sandboxes that differ from the file
are written, so you can repeat an interrupted run. The URL of the API and the key come from OPENCOMPUTER_API_URL and
OPENCOMPUTER_API_KEY.

Exit codes: 0 if the tags are, or could be, as the file says; 1 if a call fails; 2 if a row is invalid, and nothing was
written.
"""

from __future__ import annotations

import argparse
import csv
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from opencomputer_usage import (
    InvalidRequestError,
    NotFoundError,
    OpenComputerError,
    UsageClient,
    validate_tag_key,
    validate_tag_value,
    validate_tags,
)

COLUMNS = ["sandbox_id", "key", "value"]


@dataclass
class Change:
    """The tags that the file sets on a sandbox."""

    sandbox_id: str
    line: int
    tags: dict[str, str] = field(default_factory=dict[str, str])

    def applied_to(self, tags: dict[str, str]) -> dict[str, str]:
        return {**tags, **self.tags}


def read(path: str) -> tuple[list[Change], list[str]]:
    """Returns the changes that a file asks for, and what is wrong with its rows."""
    changes: dict[str, Change] = {}
    faults: list[str] = []
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            if next(rows, None) != COLUMNS:
                return [], [f"line 1: the columns must be {','.join(COLUMNS)}"]
            for row in filter(None, rows):
                if len(row) != len(COLUMNS):
                    faults.append(f"line {rows.line_num}: expected {len(COLUMNS)} cells, found {len(row)}")
                    continue
                sandbox_id, key, value = row
                for violation in [*validate_tag_key(key), *validate_tag_value(value)]:
                    faults.append(f"line {rows.line_num}: {violation.message}")
                change = changes.setdefault(sandbox_id, Change(sandbox_id, rows.line_num))
                if change.tags.setdefault(key, value) != value:
                    faults.append(f"line {rows.line_num}: another row sets `{key}` of `{sandbox_id}` to another value")
        except csv.Error as error:
            faults.append(f"line {rows.line_num}: {error}")
        except UnicodeDecodeError:
            faults.append("the file is not in UTF-8")
    return list(changes.values()), faults


def compare(client: UsageClient, change: Change) -> tuple[list[str], list[str]]:
    """Returns how the tags of a sandbox differ from the file, and why they cannot be set."""
    try:
        tags = client.tags.get(change.sandbox_id).user_tags
    except (InvalidRequestError, NotFoundError) as error:
        return [], [f"line {change.line}: `{change.sandbox_id}`: {error.message}"]
    violations = validate_tags(change.applied_to(tags))
    wanted = change.tags.items()
    differences = [f"{key}: {tags.get(key)!r} -> {value!r}" for key, value in wanted if tags.get(key) != value]
    return differences, [f"line {change.line}: `{change.sandbox_id}`: {fault.message}" for fault in violations]


def refuse(faults: list[str]) -> int:
    """Prints what is wrong with the file. Returns the exit code."""
    print(*faults, f"error: nothing was written, faults: {len(faults)}", sep="\n", file=sys.stderr)
    return 2


def main() -> int:
    parser = argparse.ArgumentParser(description="Sets tags of many sandboxes from a CSV file.")
    parser.add_argument("file", help=f"a CSV file with the columns {','.join(COLUMNS)}")
    parser.add_argument("--apply", action="store_true", help="write the tags; otherwise, only show what would change")
    options = parser.parse_args()

    changes, faults = read(options.file)
    if faults:
        return refuse(faults)
    with UsageClient() as client:
        with ThreadPoolExecutor(8) as pool:
            compared = list(pool.map(partial(compare, client), changes))
        faults = [fault for _, found in compared for fault in found]
        if faults:
            return refuse(faults)
        todo: list[Change] = []
        for change, (differences, _) in zip(changes, compared, strict=True):
            if differences:
                print(f"{change.sandbox_id}: {', '.join(differences)}")
                todo.append(change)
        print(f"{len(todo)} of {len(changes)} sandboxes differ from the file")
        if not options.apply:
            return 0
        written = 0
        try:
            for change in todo:
                client.tags.update(change.sandbox_id, change.applied_to)
                written += 1
        finally:
            print(f"{written} of {len(todo)} sandboxes written")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OpenComputerError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: run it again for the rest")
