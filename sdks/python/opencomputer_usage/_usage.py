# `scripts/unasync` generates this file from `_async_usage.py`: edit that one.
"""The usage calls of the blocking client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from . import _sync_io as _io
from ._core import SandboxUsage
from ._pages import GroupUsagePage, SandboxUsagePage, TagUsagePage
from ._shared import Filters, Interval, Sort, When, dimensions, usage, window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._core import UsageSeries
    from ._shared import UsageQuery


class Usage:
    """Usage calls. Amounts are GB-seconds."""

    __slots__ = ("_client",)

    def __init__(self, client: _io.Caller) -> None:
        """Takes the client that sends the calls."""
        self._client = client

    @overload
    def by(
        self, group_by: str | Sequence[str], *, interval: Interval, **query: Unpack[UsageQuery]
    ) -> GroupUsagePage[UsageSeries]: ...
    @overload
    def by(
        self, group_by: str | Sequence[str], *, interval: None = None, **query: Unpack[UsageQuery]
    ) -> GroupUsagePage[None]: ...
    @overload
    def by(
        self, group_by: str | Sequence[str], *, interval: Interval | None, **query: Unpack[UsageQuery]
    ) -> GroupUsagePage: ...
    def by(
        self,
        group_by: str | Sequence[str],
        *,
        from_: When | None = None,
        to: When | None = None,
        time_zone: str | None = None,
        interval: Interval | None = None,
        filter: Filters | None = None,  # noqa: A002 - the name in the API
        exclude: Filters | None = None,
        sort: Sort | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> GroupUsagePage[Any]:
        """Returns usage grouped by up to `LIMITS.max_group_by_dimensions` dimensions.

        Args:
            group_by: The dimensions, such as `["tag:team", "tag:env"]`: tags, and `template`, `region` and `status` of
                the sandbox's latest session. For one tag and for `sandbox`, use `by_tag` and `by_sandbox`.
            from_: Start of the window, inclusive; `LIMITS.default_window_days` days before its end by default.
            to: End of the window, exclusive; now by default. At most `LIMITS.max_window_days` days after its start.
            time_zone: The IANA name of the time zone of dates and buckets, such as `Europe/Berlin`; `UTC` by default.
            interval: The length of the buckets to split the amounts into: `1m`, `1h`, `1d`, `1w` or `1mo`. The `series`
                of `total`, `untagged` and each item then have one number per bucket of `buckets`.
            filter: The sandboxes to keep, such as `{"tag:env": ["prod"], "tag:team": None}`.
            exclude: The sandboxes to drop, in the form of `filter`.
            sort: The amount that items are ordered by, descending; by default memory.
            limit: Items of one page, from 1 to `LIMITS.max_page_limit`; by default `LIMITS.default_page_limit`.
            cursor: The `next_cursor` of a page of the same query, to continue after it.

        Returns:
            A page. Iterating over it walks every page.

        Raises:
            InvalidRequestError: If a parameter breaks a rule. Nothing is sent then.
            UnsupportedByServerError: If the server ignored a part of the query.
            OpenComputerError: If the call fails.
        """
        params = usage(from_, to, time_zone, interval, filter, exclude, sort, limit, cursor)
        return self._client._walk(GroupUsagePage, "usage.by", {"groupBy": dimensions(group_by), **params})

    @overload
    def by_tag(self, key: str, *, interval: Interval, **query: Unpack[UsageQuery]) -> TagUsagePage[UsageSeries]: ...
    @overload
    def by_tag(self, key: str, *, interval: None = None, **query: Unpack[UsageQuery]) -> TagUsagePage[None]: ...
    @overload
    def by_tag(self, key: str, *, interval: Interval | None, **query: Unpack[UsageQuery]) -> TagUsagePage: ...
    def by_tag(
        self,
        key: str,
        *,
        from_: When | None = None,
        to: When | None = None,
        time_zone: str | None = None,
        interval: Interval | None = None,
        filter: Filters | None = None,  # noqa: A002 - the name in the API
        exclude: Filters | None = None,
        sort: Sort | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> TagUsagePage[Any]:
        """Returns usage grouped by the values of a tag. Parameters and errors are those of `by`.

        Pass the key without `tag:`, such as `team`. `tag:team` is the key of another tag.

        Returns:
            A page. Iterating over it walks every page.
        """
        params = usage(from_, to, time_zone, interval, filter, exclude, sort, limit, cursor)
        return self._client._walk(TagUsagePage, "usage.by_tag", {"key": key, **params})

    @overload
    def by_sandbox(self, *, interval: Interval, **query: Unpack[UsageQuery]) -> SandboxUsagePage[UsageSeries]: ...
    @overload
    def by_sandbox(self, *, interval: None = None, **query: Unpack[UsageQuery]) -> SandboxUsagePage[None]: ...
    @overload
    def by_sandbox(self, *, interval: Interval | None, **query: Unpack[UsageQuery]) -> SandboxUsagePage: ...
    def by_sandbox(
        self,
        *,
        from_: When | None = None,
        to: When | None = None,
        time_zone: str | None = None,
        interval: Interval | None = None,
        filter: Filters | None = None,  # noqa: A002 - the name in the API
        exclude: Filters | None = None,
        sort: Sort | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> SandboxUsagePage[Any]:
        """Returns usage grouped by sandbox. Parameters and errors are those of `by`.

        Returns:
            A page. Iterating over it walks every page.
        """
        params = usage(from_, to, time_zone, interval, filter, exclude, sort, limit, cursor)
        return self._client._walk(SandboxUsagePage, "usage.by_sandbox", params)

    def for_sandbox(
        self,
        sandbox_id: str,
        *,
        from_: When | None = None,
        to: When | None = None,
        time_zone: str | None = None,
        interval: Interval | None = None,
    ) -> SandboxUsage:
        """Returns the usage of one sandbox, even after it was torn down.

        Args:
            sandbox_id: The id of the sandbox.
            from_: Start of the window, inclusive; `LIMITS.default_window_days` days before its end by default.
            to: End of the window, exclusive; now by default. At most `LIMITS.max_window_days` days after its start.
            time_zone: The IANA name of the time zone of dates and buckets, such as `Europe/Berlin`; `UTC` by default.
            interval: The length of the buckets, one for each of `points`: `1m`, `1h`, `1d`, `1w` or `1mo`. By default,
                there are no points.

        Raises:
            NotFoundError: If the organization has no such sandbox.
            UnsupportedByServerError: If the server ignored a part of the query.
            OpenComputerError: If the call fails for another reason.
        """
        params = {"sandboxId": sandbox_id, **window(from_, to, time_zone, interval)}
        found: SandboxUsage = self._client._call("usage.for_sandbox", params)
        return found
