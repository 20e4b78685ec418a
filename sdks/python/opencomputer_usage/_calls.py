"""Every call, declared once: its name in the core, its parameters by wire name, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from ._models import (
    AsyncSandboxUsagePage,
    AsyncTagUsagePage,
    Sandbox,
    SandboxTags,
    SandboxUsage,
    SandboxUsagePage,
    TagKeySummary,
    TagUsagePage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    When = str | date
    """RFC 3339 with an offset, `YYYY-MM-DD`, an aware datetime or a date (UTC midnight)."""
    Filters = Mapping[str, Sequence[str] | str | None]
    """By dimension, `tag:<key>` or `sandbox`: exact values, None for *lacks the tag*, or the wire's own string."""
    Sort = Literal["-memoryGbSeconds", "-diskOverageGbSeconds"]
    Change = Callable[[dict[str, str]], Mapping[str, str]]

T = TypeVar("T")
SyncT = TypeVar("SyncT")
AsyncT = TypeVar("AsyncT")


@dataclass(frozen=True)
class Call(Generic[T]):
    """A call that returns a `T`."""

    operation: str
    params: dict[str, object]
    read: Callable[[Any], T]
    change: Change | None = None


@dataclass(frozen=True)
class PageCall(Generic[SyncT, AsyncT]):
    """A call that returns a page: a `SyncT` from the blocking client, an `AsyncT` from the other."""

    operation: str
    params: dict[str, object]
    sync_page: type[SyncT]
    async_page: type[AsyncT]


TagPages = PageCall[TagUsagePage, AsyncTagUsagePage]
SandboxPages = PageCall[SandboxUsagePage, AsyncSandboxUsagePage]
Sandboxes = list[Sandbox]


class UsageCalls:
    """Usage; amounts are GB-seconds."""

    def by_tag(
        self,
        key: str,
        *,
        from_: When | None = None,
        to: When | None = None,
        filter: Filters | None = None,  # noqa: A002 - the API's own word
        sort: Sort | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> TagPages:
        """Usage by the values of a tag.

        Args:
            key: The tag's key.
            from_: Start of the window, inclusive; 30 days before its end by default.
            to: End of the window, exclusive; now by default. At most 90 days after its start.
            filter: What to keep, such as `{"tag:env": ["prod"], "tag:team": None}`.
            sort: What items are ordered by, descending; by default memory.
            limit: Items of one page, 1 to 500; by default 50.
            cursor: Where to go on: the `next_cursor` of a page of the same query.

        Returns:
            A page; iterating over it walks every page.

        Raises:
            InvalidRequestError: If a parameter breaks a rule; nothing is sent then.
            OpenComputerError: If the call fails.
        """
        params = {"key": key, **_usage(from_, to, filter, sort, limit, cursor)}
        return PageCall("usage.by_tag", params, TagUsagePage, AsyncTagUsagePage)

    def by_sandbox(
        self,
        *,
        from_: When | None = None,
        to: When | None = None,
        filter: Filters | None = None,  # noqa: A002 - the API's own word
        sort: Sort | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> SandboxPages:
        """Usage by sandbox; parameters and errors are those of `by_tag`.

        Returns:
            A page; iterating over it walks every page.
        """
        params = _usage(from_, to, filter, sort, limit, cursor)
        return PageCall("usage.by_sandbox", params, SandboxUsagePage, AsyncSandboxUsagePage)

    def for_sandbox(self, sandbox_id: str, *, from_: When | None = None, to: When | None = None) -> Call[SandboxUsage]:
        """Usage of one sandbox, torn down or not.

        Args:
            sandbox_id: The sandbox.
            from_: Start of the window, inclusive; 30 days before its end by default.
            to: End of the window, exclusive; now by default. At most 90 days after its start.

        Raises:
            NotFoundError: If the org has no such sandbox.
            OpenComputerError: If the call fails otherwise.
        """
        params = {"sandboxId": sandbox_id, "from": _wire(from_), "to": _wire(to)}
        return Call("usage.for_sandbox", params, SandboxUsage.from_wire)


class TagCalls:
    """The tags in use and those of one sandbox."""

    def list_keys(self) -> Call[list[TagKeySummary]]:
        """Every key in use, ordered by its UTF-8 bytes."""
        return Call("tags.list_keys", {}, lambda keys: list(map(TagKeySummary.from_wire, keys)))

    def get(self, sandbox_id: str) -> Call[SandboxTags]:
        """The tags of one sandbox, and the `etag` to write them back with.

        Raises:
            NotFoundError: If the org has no such sandbox.
        """
        return Call("tags.get", {"sandboxId": sandbox_id}, SandboxTags.from_wire)

    def set(self, sandbox_id: str, tags: Mapping[str, str], *, if_match: str | None = None) -> Call[SandboxTags]:
        """Replaces the user's tags of one sandbox; `{}` clears them.

        Args:
            sandbox_id: The sandbox.
            tags: All its tags from now on, without those of the system.
            if_match: Writes only if the tags are still those of this `etag`. Without it the last writer wins.

        Returns:
            The tags as they were written.

        Raises:
            TagValidationError: If tags break the rules; nothing is sent then.
            ConflictError: If the tags are not those of `if_match`.
            NotFoundError: If the org has no such sandbox.
        """
        params: dict[str, object] = {"sandboxId": sandbox_id, "tags": tags, "ifMatch": if_match}
        return Call("tags.set", params, SandboxTags.from_wire)

    def update(self, sandbox_id: str, change: Change) -> Call[SandboxTags]:
        """Reads the user's tags, changes them and writes them back, anew where another writer came in between.

        Args:
            sandbox_id: The sandbox.
            change: Takes the user's tags and returns what they shall be; it may be called more than once.

        Raises:
            TypeError: If `change` cannot be called; nothing is sent then.
            TagValidationError: If the changed tags break the rules; nothing is written then.
            ConflictError: If another writer came in between five times.
            NotFoundError: If the org has no such sandbox.
        """
        if not callable(change):
            msg = f"change must be callable, got {type(change).__name__}"  # type: ignore[unreachable]
            raise TypeError(msg)
        return Call("tags.update", {"sandboxId": sandbox_id}, SandboxTags.from_wire, change)


class SandboxCalls:
    """Sandboxes and their tags."""

    def list(self) -> Call[Sandboxes]:
        """The newest 100 running sandboxes."""
        return Call("sandboxes.list", {}, lambda rows: [Sandbox.from_wire(row) for row in rows])

    def get(self, sandbox_id: str) -> Call[Sandbox]:
        """One sandbox.

        Raises:
            NotFoundError: If the org has no such sandbox.
        """
        return Call("sandboxes.get", {"sandboxId": sandbox_id}, Sandbox.from_wire)


def _usage(
    from_: When | None,
    to: When | None,
    filters: Filters | None,
    sort: Sort | None,
    limit: int | None,
    cursor: str | None,
) -> dict[str, object]:
    return {
        "from": _wire(from_),
        "to": _wire(to),
        "filter": filters,
        "sort": sort,
        "limit": limit,
        "cursor": cursor,
    }


def _wire(when: Any) -> object:
    """The text of a date or datetime; what is wrong with anything else, the core says."""
    isoformat = getattr(when, "isoformat", None)
    return isoformat() if callable(isoformat) else when
