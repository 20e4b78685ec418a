# `scripts/unasync` generates this file from `_async_resources.py`: edit that one.
"""The tag and sandbox calls of the blocking client."""

from __future__ import annotations

from collections.abc import Mapping

from . import _sync_io as _io
from ._core import Sandbox, SandboxTags, TagKey
from ._pages import SandboxPage, TagValuePage
from ._shared import Change, Filters, State, check_change


class Tags:
    """Tag calls: the keys and values in use, and the tags of one sandbox."""

    __slots__ = ("_client",)

    def __init__(self, client: _io.Caller) -> None:
        """Takes the client that sends the calls."""
        self._client = client

    def list_keys(self) -> list[TagKey]:
        """Returns every key in use, ordered by its UTF-8 bytes."""
        keys: list[TagKey] = self._client._call("tags.list_keys", {})
        return keys

    def list_values(
        self, key: str, *, prefix: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> TagValuePage:
        """Returns the values of a tag, ordered by their UTF-8 bytes.

        Args:
            key: The key of the tag, such as `team`.
            prefix: The start of the values to return; by default, all values are returned.
            limit: Values of one page, from 1 to `LIMITS.max_page_limit`; by default `LIMITS.default_list_limit`.
            cursor: The `next_cursor` of a page of the same query, to continue after it.

        Returns:
            A page. Iterating over it walks every page.

        Raises:
            InvalidRequestError: If a parameter breaks a rule. Nothing is sent then.
        """
        params = {"key": key, "prefix": prefix, "limit": limit, "cursor": cursor}
        return self._client._walk(TagValuePage, "tags.list_values", params)

    def get(self, sandbox_id: str) -> SandboxTags:
        """Returns the tags of one sandbox, with the `etag` that a conditional write needs.

        Raises:
            NotFoundError: If the organization has no such sandbox.
        """
        state: SandboxTags = self._client._call("tags.get", {"sandboxId": sandbox_id})
        return state

    def set(self, sandbox_id: str, tags: Mapping[str, str], *, if_match: str | None = None) -> SandboxTags:
        """Replaces the user's tags of one sandbox; `{}` clears them.

        Args:
            sandbox_id: The id of the sandbox.
            tags: The new tags, without system tags.
            if_match: The etag that the current tags must have, from `condition()` of tags that were read. Without it,
                the last writer wins. To change some of the tags, use `update`.

        Returns:
            The written tags.

        Raises:
            TagValidationError: If tags break the rules. Nothing is sent then.
            ConflictError: If the current tags have another etag.
            UnsupportedByServerError: If the server ignored `if_match`. The tags were written then.
            NotFoundError: If the organization has no such sandbox.
        """
        params = {"sandboxId": sandbox_id, "tags": tags, "ifMatch": if_match}
        state: SandboxTags = self._client._call("tags.set", params)
        return state

    def update(self, sandbox_id: str, change: Change) -> SandboxTags:
        """Reads the user's tags, changes them and writes them back. Starts over if another writer came first.

        Args:
            sandbox_id: The id of the sandbox.
            change: Takes the user's tags and returns the new ones. It may be called more than once, so it must be pure.
                It cannot be a coroutine function.

        Raises:
            TypeError: If `change` cannot be called. Nothing is sent then.
            InvalidRequestError: If `change` returns None or a coroutine. Nothing is written then.
            TagValidationError: If the new tags break the rules. Nothing is written then.
            ConflictError: If other writers came first until the call timed out.
            UnsupportedByServerError: If the server sends no `ETag`. Nothing is written then.
            NotFoundError: If the organization has no such sandbox.
        """
        check_change(change)
        state: SandboxTags = self._client._call("tags.update", {"sandboxId": sandbox_id}, change)
        return state


class Sandboxes:
    """Sandbox calls."""

    __slots__ = ("_client",)

    def __init__(self, client: _io.Caller) -> None:
        """Takes the client that sends the calls."""
        self._client = client

    def list(
        self,
        *,
        filter: Filters | None = None,  # noqa: A002 - the name in the API
        exclude: Filters | None = None,
        state: State | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> SandboxPage:
        """Returns sandboxes, newest first.

        Args:
            filter: The sandboxes to keep, such as `{"tag:env": ["prod"], "tag:team": None}`.
            exclude: The sandboxes to drop, in the form of `filter`.
            state: `running` (the default), or `all` to include sandboxes that were torn down.
            limit: Sandboxes of one page, from 1 to `LIMITS.max_page_limit`; by default `LIMITS.default_list_limit`.
            cursor: The `next_cursor` of a page of the same query, to continue after it.

        Returns:
            A page. Iterating over it walks every page.

        Raises:
            InvalidRequestError: If a parameter breaks a rule. Nothing is sent then.
            UnsupportedByServerError: If the server ignored a part of the query.
        """
        params = {"filter": filter, "exclude": exclude, "state": state, "limit": limit, "cursor": cursor}
        return self._client._walk(SandboxPage, "sandboxes.list", params)

    def get(self, sandbox_id: str) -> Sandbox:
        """Returns one sandbox.

        Raises:
            NotFoundError: If the organization has no such sandbox.
        """
        sandbox: Sandbox = self._client._call("sandboxes.get", {"sandboxId": sandbox_id})
        return sandbox
