"""Pages of usage, with iteration over all pages for each client."""

from __future__ import annotations

from ._core import SandboxesUsage, TagUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing import Any

    from ._core import SandboxUsageItem, TagUsageItem


def has_next_page(self: TagUsage | SandboxesUsage) -> bool:
    """Returns whether another page follows."""
    return self.next_cursor is not None


def _fetch_next(page: TagUsage | SandboxesUsage) -> Any:
    if page.next_cursor is None:
        msg = "this is the last page, ask has_next_page() first"
        raise RuntimeError(msg)
    if page._fetch is None:
        msg = "this page has no client, pass its next_cursor to one"
        raise RuntimeError(msg)
    return page._fetch()


def _walk(page: Any) -> Iterator[Any]:
    yield from page.items
    while page.has_next_page():
        page = page.next_page()
        yield from page.items


async def _async_walk(page: Any) -> AsyncIterator[Any]:
    for item in page.items:
        yield item
    while page.has_next_page():
        page = await page.next_page()
        for item in page.items:
            yield item


class TagUsagePage(TagUsage):
    """Usage by the values of a tag; iterating walks every page."""

    __slots__ = ()

    has_next_page = has_next_page

    def next_page(self) -> TagUsagePage:
        """Fetches the next page, with the same window and `as_of`.

        Raises:
            RuntimeError: If this is the last page.
        """
        page: TagUsagePage = _fetch_next(self)
        return page

    def __iter__(self) -> Iterator[TagUsageItem]:
        """Yields the items of this page and all later pages, which are fetched as needed."""
        return _walk(self)


class SandboxUsagePage(SandboxesUsage):
    """Usage by sandbox; iterating walks every page."""

    __slots__ = ()

    has_next_page = has_next_page

    def next_page(self) -> SandboxUsagePage:
        """Fetches the next page, with the same window and `as_of`.

        Raises:
            RuntimeError: If this is the last page.
        """
        page: SandboxUsagePage = _fetch_next(self)
        return page

    def __iter__(self) -> Iterator[SandboxUsageItem]:
        """Yields the items of this page and all later pages, which are fetched as needed."""
        return _walk(self)


class AsyncTagUsagePage(TagUsage):
    """Usage by the values of a tag; iterating with `async for` walks every page."""

    __slots__ = ()

    has_next_page = has_next_page

    async def next_page(self) -> AsyncTagUsagePage:
        """Fetches the next page, with the same window and `as_of`.

        Raises:
            RuntimeError: If this is the last page.
        """
        page: AsyncTagUsagePage = await _fetch_next(self)
        return page

    def __aiter__(self) -> AsyncIterator[TagUsageItem]:
        """Yields the items of this page and all later pages, which are fetched as needed."""
        return _async_walk(self)


class AsyncSandboxUsagePage(SandboxesUsage):
    """Usage by sandbox; iterating with `async for` walks every page."""

    __slots__ = ()

    has_next_page = has_next_page

    async def next_page(self) -> AsyncSandboxUsagePage:
        """Fetches the next page, with the same window and `as_of`.

        Raises:
            RuntimeError: If this is the last page.
        """
        page: AsyncSandboxUsagePage = await _fetch_next(self)
        return page

    def __aiter__(self) -> AsyncIterator[SandboxUsageItem]:
        """Yields the items of this page and all later pages, which are fetched as needed."""
        return _async_walk(self)
