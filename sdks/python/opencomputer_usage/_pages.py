"""Pages, with iteration over all pages for each client."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from ._core import GroupUsage, SandboxesUsage, SandboxList, Table, TagUsage, TagValueList

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from typing_extensions import Self

    from ._core import (  # noqa: F401 - for the strings below
        GroupUsageItem,
        Sandbox,
        SandboxUsageItem,
        TagUsageItem,
        TagValue,
        _SeriesT_co,
    )

ItemT_co = TypeVar("ItemT_co", covariant=True)


class Page(Generic[ItemT_co]):
    """The base class of all pages."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def items(self) -> tuple[ItemT_co, ...]: ...
        @property
        def next_cursor(self) -> str | None: ...
        @property
        def _fetch(self) -> Any: ...

    def has_next_page(self) -> bool:
        """Returns whether another page follows."""
        return self.next_cursor is not None

    def _fetch_next(self) -> Any:
        if self.next_cursor is None:
            msg = "this is the last page, ask has_next_page() first"
            raise RuntimeError(msg)
        if self._fetch is None:
            msg = "this page has no client, pass its next_cursor to one"
            raise RuntimeError(msg)
        return self._fetch()


class SyncPage(Page[ItemT_co]):
    """A page of the blocking client."""

    __slots__ = ()

    def next_page(self) -> Self:
        """Fetches the next page, with the parameters of this one.

        Raises:
            RuntimeError: If this is the last page.
        """
        page: Self = self._fetch_next()
        return page

    def __iter__(self) -> Iterator[ItemT_co]:
        """Yields the items of this page and all later pages, which are fetched as needed."""
        page = self
        yield from page.items
        while page.has_next_page():
            page = page.next_page()
            yield from page.items


class AsyncPage(Page[ItemT_co]):
    """A page of the async client."""

    __slots__ = ()

    async def next_page(self) -> Self:
        """Fetches the next page, with the parameters of this one.

        Raises:
            RuntimeError: If this is the last page.
        """
        page: Self = await self._fetch_next()
        return page

    async def __aiter__(self) -> AsyncIterator[ItemT_co]:
        """Yields the items of this page and all later pages, which are fetched as needed."""
        page = self
        for item in page.items:
            yield item
        while page.has_next_page():
            page = await page.next_page()
            for item in page.items:
                yield item


class SyncUsagePage(SyncPage[ItemT_co]):
    """A page of usage of the blocking client."""

    __slots__ = ()

    def to_table(self) -> Table:
        """Returns a table of the items of this page and all later pages, which it fetches.

        With an interval, it has one row per item and bucket.
        """
        items: Any = self
        return Table(items)


class AsyncUsagePage(AsyncPage[ItemT_co]):
    """A page of usage of the async client."""

    __slots__ = ()

    async def to_table(self) -> Table:
        """Returns a table of the items of this page and all later pages, which it fetches.

        With an interval, it has one row per item and bucket.
        """
        page: Any = self
        return Table([item async for item in page], page=page)


# Type checkers read the strings. At run time, the classes have no parameters.


class TagUsagePage(TagUsage["_SeriesT_co"], SyncUsagePage["TagUsageItem[_SeriesT_co]"]):
    """Usage by the values of a tag; iterating walks every page."""

    __slots__ = ()


class SandboxUsagePage(SandboxesUsage["_SeriesT_co"], SyncUsagePage["SandboxUsageItem[_SeriesT_co]"]):
    """Usage by sandbox; iterating walks every page."""

    __slots__ = ()


class GroupUsagePage(GroupUsage["_SeriesT_co"], SyncUsagePage["GroupUsageItem[_SeriesT_co]"]):
    """Usage by up to three dimensions; iterating walks every page."""

    __slots__ = ()


class TagValuePage(TagValueList, SyncPage["TagValue"]):
    """The values of a tag; iterating walks every page."""

    __slots__ = ()

    def __len__(self) -> int:
        """Returns the number of values on this page."""
        return len(self.items)


class SandboxPage(SandboxList, SyncPage["Sandbox"]):
    """Sandboxes; iterating walks every page."""

    __slots__ = ()

    def __len__(self) -> int:
        """Returns the number of sandboxes on this page."""
        return len(self.items)


class AsyncTagUsagePage(TagUsage["_SeriesT_co"], AsyncUsagePage["TagUsageItem[_SeriesT_co]"]):
    """Usage by the values of a tag; iterating with `async for` walks every page."""

    __slots__ = ()


class AsyncSandboxUsagePage(SandboxesUsage["_SeriesT_co"], AsyncUsagePage["SandboxUsageItem[_SeriesT_co]"]):
    """Usage by sandbox; iterating with `async for` walks every page."""

    __slots__ = ()


class AsyncGroupUsagePage(GroupUsage["_SeriesT_co"], AsyncUsagePage["GroupUsageItem[_SeriesT_co]"]):
    """Usage by up to three dimensions; iterating with `async for` walks every page."""

    __slots__ = ()


class AsyncTagValuePage(TagValueList, AsyncPage["TagValue"]):
    """The values of a tag; iterating with `async for` walks every page."""

    __slots__ = ()

    def __len__(self) -> int:
        """Returns the number of values on this page."""
        return len(self.items)

    def __iter__(self) -> Iterator[TagValue]:
        """Yields the values on this page alone."""
        return iter(self.items)


class AsyncSandboxPage(SandboxList, AsyncPage["Sandbox"]):
    """Sandboxes; iterating with `async for` walks every page."""

    __slots__ = ()

    def __len__(self) -> int:
        """Returns the number of sandboxes on this page."""
        return len(self.items)

    def __iter__(self) -> Iterator[Sandbox]:
        """Yields the sandboxes on this page alone."""
        return iter(self.items)
