"""What the API returns: immutable, compared by value, hashable, picklable.

Amounts are GB-seconds (1 GB = 1024 MB), times are RFC 3339 in UTC as they came.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from typing_extensions import Self

PageT = TypeVar("PageT")
ItemT = TypeVar("ItemT")


class Tags(dict[str, str]):
    """Tags that cannot be changed; `dict(tags)` and `{**tags, "env": "prod"}` give ones that can."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        msg = "these tags cannot be changed, make a dict of them first"
        raise TypeError(msg)

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        """Equal tags have equal hashes."""
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type[Tags], tuple[dict[str, str]]]:
        """Pickles as the dict it was made from."""
        return Tags, (dict(self),)


class Model:
    """An object of the API: `to_dict()` gives it back under the API's own names."""

    __slots__ = ()

    @classmethod
    def from_wire(cls, data: Mapping[str, Any], **hidden: object) -> Self:
        """Makes one of a decoded JSON object; members that it does not know are ignored."""
        known = {name: build(data.get(wire)) for name, wire, build, _ in _plan(cls)}
        return cls(**known, **hidden)

    def to_dict(self) -> dict[str, Any]:
        """The object under the API's own names, as plain dicts and lists."""
        plain = ((wire, _plain(getattr(self, name)), optional) for name, wire, _, optional in _plan(type(self)))
        return {wire: value for wire, value, optional in plain if not (optional and value is None)}

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        """Pickles by value, without the client that a page may know."""
        return type(self).from_wire, (self.to_dict(),)


def _as_is(value: Any) -> Any:
    return value


_PLANS: dict[type[Any], list[tuple[str, str, Callable[[Any], Any], bool]]] = {}


def _plan(model: type[Any]) -> list[tuple[str, str, Callable[[Any], Any], bool]]:
    """Of each field: its name, its wire name, what makes it from there, and whether it may be left out."""
    plan = _PLANS.get(model)
    if plan is None:
        plan = _PLANS[model] = [
            (
                known.name,
                known.metadata.get("wire") or _camel(known.name),
                known.metadata.get("build", _as_is),
                known.metadata.get("optional", False),
            )
            for known in fields(model)
            if not known.name.startswith("_")
        ]
    return plan


def _camel(name: str) -> str:
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)


def _plain(value: Any) -> Any:
    if isinstance(value, Model):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, Tags) else value


def _one(model: type[Model]) -> dict[str, Any]:
    return {"build": model.from_wire}


def _many(model: type[Model]) -> dict[str, Any]:
    return {"build": lambda items: tuple(map(model.from_wire, items))}


_TAGS = {"build": lambda tags: None if tags is None else Tags(tags)}
_OPTIONAL = {"optional": True}


@dataclass(frozen=True, slots=True)
class TagViolation(Model):
    """One broken tag rule."""

    code: str
    """Which rule, such as `key_too_long`."""
    key: str | None
    """The key at fault; None for `too_many_tags` and for a value that was checked alone."""
    message: str
    """What was wrong and what is allowed."""


@dataclass(frozen=True, slots=True)
class GroupBy(Model):
    """A dimension to group by."""

    kind: Literal["tag", "sandbox"]
    key: str | None = field(default=None, metadata=_OPTIONAL)
    """The tag's key, for a tag."""


@dataclass(frozen=True, slots=True)
class Cursor(Model):
    """What a cursor holds; the exact value, window, instant and digest come together or not at all."""

    v: float
    """Sort value of the page's last item, GB-seconds."""
    t: str
    """Its sandbox id or tag value."""
    s: str | None = field(default=None, metadata=_OPTIONAL)
    """The exact sort value, MB times µs, in decimal."""
    from_: str | None = field(default=None, metadata=_OPTIONAL)
    to: str | None = field(default=None, metadata=_OPTIONAL)
    as_of: str | None = field(default=None, metadata=_OPTIONAL)
    q: str | None = field(default=None, metadata=_OPTIONAL)
    """Digest of the query."""


@dataclass(frozen=True, slots=True)
class Limits(Model):
    """The limits of the API."""

    max_tags: int
    max_tag_key_characters: int
    max_tag_value_characters: int
    default_window_days: int
    max_window_days: int
    default_page_limit: int
    max_page_limit: int
    max_filter_values: int
    max_filters: int
    max_query_bytes: int
    max_body_bytes: int
    max_sandbox_id_characters: int
    query_budget_seconds: int
    included_disk_mb: int


@dataclass(frozen=True, slots=True)
class Amounts(Model):
    """Usage, in GB-seconds."""

    memory_gb_seconds: float
    disk_overage_gb_seconds: float
    """Disk above the included 20 GB."""


@dataclass(frozen=True, slots=True)
class Untagged(Model):
    """Usage of the sandboxes that lack the tag that is grouped by."""

    memory_gb_seconds: float
    disk_overage_gb_seconds: float
    sandbox_count: int


@dataclass(frozen=True, slots=True)
class TagItem(Model):
    """Usage of the sandboxes that share one value of a tag."""

    tag_key: str
    tag_value: str
    memory_gb_seconds: float
    disk_overage_gb_seconds: float
    sandbox_count: int


@dataclass(frozen=True, slots=True)
class SandboxItem(Model):
    """Usage of one sandbox, on a page."""

    sandbox_id: str
    memory_gb_seconds: float
    disk_overage_gb_seconds: float
    tags: Mapping[str, str] = field(metadata=_TAGS)
    """All tags, system tags among them."""
    tags_last_updated_at: str | None
    """When a tag value last changed; a removed tag leaves no trace."""
    alias: str | None = field(default=None, metadata=_OPTIONAL)
    status: str | None = field(default=None, metadata=_OPTIONAL)
    """`running`, `hibernated`, `stopped`, `error` or another of the platform's."""


@dataclass(frozen=True, slots=True)
class SandboxUsage(Model):
    """Usage of one sandbox in a window."""

    sandbox_id: str
    from_: str
    to: str
    as_of: str
    """When a running sandbox was measured."""
    memory_gb_seconds: float
    disk_overage_gb_seconds: float
    tags: Mapping[str, str] = field(metadata=_TAGS)
    """All tags, system tags among them."""
    tags_last_updated_at: str | None
    first_started_at: str | None
    """Start of the first session that meets the window, clamped into it."""
    last_ended_at: str | None
    """End of the last session that meets the window, clamped into it; None while one is open."""
    alias: str | None = field(default=None, metadata=_OPTIONAL)
    status: str | None = field(default=None, metadata=_OPTIONAL)


@dataclass(frozen=True, slots=True)
class TagKeySummary(Model):
    """A tag key in use."""

    key: str
    sandbox_count: int
    value_count: int


@dataclass(frozen=True, slots=True)
class SandboxTags(Model):
    """The tags of one sandbox."""

    tags: Mapping[str, str] = field(metadata=_TAGS)
    """All tags, system tags among them."""
    tags_last_updated_at: str | None
    etag: str | None
    """For `if_match`; None where the server sent none."""


@dataclass(frozen=True, slots=True)
class Sandbox(Model):
    """A sandbox."""

    sandbox_id: str = field(metadata={"wire": "sandboxID"})
    status: str
    region: str
    worker_id: str = field(metadata={"wire": "workerID"})
    template: str
    started_at: str
    alias: str | None = field(default=None, metadata=_OPTIONAL)
    tags: Mapping[str, str] | None = field(default=None, metadata={**_TAGS, **_OPTIONAL})
    """All tags; None where only their look-up failed."""
    tags_last_updated_at: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The sandbox under the API's own names; without tags it has no time of their change either."""
        plain = Model.to_dict(self)
        if self.tags is None:
            del plain["tagsLastUpdatedAt"]
        return plain


class Page(Model, Generic[ItemT]):
    """A page of groups."""

    __slots__ = ()

    items: tuple[ItemT, ...]
    next_cursor: str | None
    _fetch: Callable[[str], Any] | None

    def has_next_page(self) -> bool:
        """Whether there are more groups than those up to this page's last."""
        return self.next_cursor is not None

    def _next(self) -> Any:
        if self.next_cursor is None:
            msg = "this is the last page, ask has_next_page() first"
            raise RuntimeError(msg)
        if self._fetch is None:
            msg = "this page knows no client, pass its next_cursor to one"
            raise RuntimeError(msg)
        return self._fetch(self.next_cursor)

    def __repr__(self) -> str:
        """Counts the items, of which there may be 500."""
        shown = ((name, getattr(self, name)) for name, *_ in _plan(type(self)))
        parts = (f"{name}=<{len(value)}>" if name == "items" else f"{name}={value!r}" for name, value in shown)
        return f"{type(self).__name__}({', '.join(parts)})"


class SyncPage(Page[ItemT], Generic[PageT, ItemT]):
    """A page that walks on, blocking."""

    __slots__ = ()

    def next_page(self) -> PageT:
        """Fetches the page after this one: same window, same `as_of`.

        Raises:
            RuntimeError: If this is the last page.
        """
        page: PageT = self._next()
        return page

    def __iter__(self) -> Iterator[ItemT]:
        """Every item of this page and of those after it, fetched as they are reached."""
        page: Any = self
        yield from page.items
        while page.has_next_page():
            page = page.next_page()
            yield from page.items


class AsyncPage(Page[ItemT], Generic[PageT, ItemT]):
    """A page that walks on, awaited."""

    __slots__ = ()

    async def next_page(self) -> PageT:
        """Fetches the page after this one: same window, same `as_of`.

        Raises:
            RuntimeError: If this is the last page.
        """
        page: PageT = await self._next()
        return page

    async def __aiter__(self) -> AsyncIterator[ItemT]:
        """Every item of this page and of those after it, fetched as they are reached."""
        page: Any = self
        for item in page.items:
            yield item
        while page.has_next_page():
            page = await page.next_page()
            for item in page.items:
                yield item


@dataclass(frozen=True, slots=True, repr=False)
class _TagUsage(Model):
    from_: str
    to: str
    as_of: str
    """When running sandboxes were measured."""
    group_by: str
    total: Amounts = field(metadata=_one(Amounts))
    """All that matches the window and the filters, not only this page."""
    untagged: Untagged = field(metadata=_one(Untagged))
    """The part of it that lacks the tag."""
    items: tuple[TagItem, ...] = field(metadata=_many(TagItem))
    next_cursor: str | None
    _fetch: Callable[[str], Any] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, repr=False)
class _SandboxesUsage(Model):
    from_: str
    to: str
    as_of: str
    """When running sandboxes were measured."""
    group_by: str
    total: Amounts = field(metadata=_one(Amounts))
    """All that matches the window and the filters, not only this page."""
    items: tuple[SandboxItem, ...] = field(metadata=_many(SandboxItem))
    next_cursor: str | None
    _fetch: Callable[[str], Any] | None = field(default=None, compare=False)


class TagUsagePage(SyncPage["TagUsagePage", TagItem], _TagUsage):
    """Usage by the values of a tag; iterating walks every page."""

    __slots__ = ()


class SandboxUsagePage(SyncPage["SandboxUsagePage", SandboxItem], _SandboxesUsage):
    """Usage by sandbox; iterating walks every page."""

    __slots__ = ()


class AsyncTagUsagePage(AsyncPage["AsyncTagUsagePage", TagItem], _TagUsage):
    """Usage by the values of a tag; iterating with `async for` walks every page."""

    __slots__ = ()


class AsyncSandboxUsagePage(AsyncPage["AsyncSandboxUsagePage", SandboxItem], _SandboxesUsage):
    """Usage by sandbox; iterating with `async for` walks every page."""

    __slots__ = ()
