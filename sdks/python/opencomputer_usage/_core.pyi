# The compiled core: values of Python in, models out.

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from os import PathLike
from typing import Any, Literal, TypeAlias, final, type_check_only

from typing_extensions import Self, disjoint_base

from ._tags import Tags

_At: TypeAlias = tuple[float, float]
"""Milliseconds since the epoch, and a number drawn from [0, 1)."""

__all__ = [
    "LIMITS",
    "Amounts",
    "Client",
    "CompletionQueue",
    "Cursor",
    "Exchange",
    "GroupBy",
    "Limits",
    "Request",
    "Sandbox",
    "SandboxItem",
    "SandboxTags",
    "SandboxUsage",
    "SandboxUsageTotals",
    "SandboxesUsage",
    "Table",
    "TagItem",
    "TagKeySummary",
    "TagUsage",
    "TagViolation",
    "Task",
    "Untagged",
    "UsagePoint",
    "__version__",
    "decode_cursor",
    "encode_cursor",
    "format_filter",
    "format_group_by",
    "parse_filter",
    "parse_group_by",
    "validate_tag_key",
    "validate_tag_value",
    "validate_tags",
]

__version__: str
LIMITS: Limits

def validate_tags(tags: Mapping[str, str]) -> list[TagViolation]: ...
def validate_tag_key(key: str) -> list[TagViolation]: ...
def validate_tag_value(value: str) -> list[TagViolation]: ...
def parse_group_by(group_by: str) -> GroupBy: ...
def format_group_by(group_by: GroupBy | Mapping[str, str]) -> str: ...
def parse_filter(text: str) -> list[str] | None: ...
def format_filter(values: list[str] | tuple[str, ...] | None) -> str: ...
def encode_cursor(cursor: Cursor | Mapping[str, Any]) -> str: ...
def decode_cursor(text: str) -> Cursor: ...

# What every model has.
@type_check_only
class _Model:
    _fields: tuple[tuple[str, str, str, type[Any] | None, bool, bool], ...]
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]: ...
    def keys(self) -> list[str]: ...
    def __getitem__(self, key: str, /) -> Any: ...
    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, handler: Any) -> Any: ...
    def to_dict(self) -> dict[str, Any]: ...

@final
class TagViolation(_Model):
    __match_args__ = ("code", "key", "message")
    def __new__(cls, code: str, key: str | None, message: str) -> Self: ...
    @property
    def code(self) -> str: ...
    @property
    def key(self) -> str | None: ...
    @property
    def message(self) -> str: ...

@final
class GroupBy(_Model):
    __match_args__ = ("kind", "key")
    def __new__(cls, kind: Literal["tag", "sandbox"], key: str | None = ...) -> Self: ...
    @property
    def kind(self) -> Literal["tag", "sandbox"]: ...
    @property
    def key(self) -> str | None: ...

@final
class Cursor(_Model):
    __match_args__ = ("v", "t", "s", "from_", "to", "as_of", "q")
    def __new__(
        cls,
        v: float,
        t: str,
        s: str | None = ...,
        from_: str | None = ...,
        to: str | None = ...,
        as_of: str | None = ...,
        q: str | None = ...,
    ) -> Self: ...
    @property
    def v(self) -> float: ...
    @property
    def t(self) -> str: ...
    @property
    def s(self) -> str | None: ...
    @property
    def from_(self) -> str | None: ...
    @property
    def to(self) -> str | None: ...
    @property
    def as_of(self) -> str | None: ...
    @property
    def q(self) -> str | None: ...

@final
class Amounts(_Model):
    __match_args__ = ("memory_gb_seconds", "disk_overage_gb_seconds")
    def __new__(cls, memory_gb_seconds: float, disk_overage_gb_seconds: float) -> Self: ...
    @property
    def memory_gb_seconds(self) -> float: ...
    @property
    def disk_overage_gb_seconds(self) -> float: ...

@final
class Untagged(_Model):
    __match_args__ = ("memory_gb_seconds", "disk_overage_gb_seconds", "sandbox_count")
    def __new__(cls, memory_gb_seconds: float, disk_overage_gb_seconds: float, sandbox_count: int) -> Self: ...
    @property
    def memory_gb_seconds(self) -> float: ...
    @property
    def disk_overage_gb_seconds(self) -> float: ...
    @property
    def sandbox_count(self) -> int: ...

@final
class TagItem(_Model):
    __match_args__ = ("tag_key", "tag_value", "memory_gb_seconds", "disk_overage_gb_seconds", "sandbox_count")
    def __new__(
        cls, tag_key: str, tag_value: str, memory_gb_seconds: float, disk_overage_gb_seconds: float, sandbox_count: int
    ) -> Self: ...
    @property
    def tag_key(self) -> str: ...
    @property
    def tag_value(self) -> str: ...
    @property
    def memory_gb_seconds(self) -> float: ...
    @property
    def disk_overage_gb_seconds(self) -> float: ...
    @property
    def sandbox_count(self) -> int: ...

@final
class SandboxUsageTotals(_Model):
    __match_args__ = (
        "memory_allocated_gb_seconds",
        "memory_used_gb_seconds",
        "uptime_seconds",
        "memory_allocated_peak_mb",
        "memory_used_peak_mb",
    )
    def __new__(
        cls,
        memory_allocated_gb_seconds: float,
        memory_used_gb_seconds: float,
        uptime_seconds: float,
        memory_allocated_peak_mb: int,
        memory_used_peak_mb: int,
    ) -> Self: ...
    @property
    def memory_allocated_gb_seconds(self) -> float: ...
    @property
    def memory_used_gb_seconds(self) -> float: ...
    @property
    def uptime_seconds(self) -> float: ...
    @property
    def memory_allocated_peak_mb(self) -> int: ...
    @property
    def memory_used_peak_mb(self) -> int: ...

@final
class UsagePoint(_Model):
    __match_args__ = (
        "ts",
        "memory_allocated_gb_seconds",
        "memory_used_gb_seconds",
        "uptime_seconds",
        "allocated_memory_mb",
        "used_memory_mb_avg",
        "used_memory_mb_peak",
    )
    def __new__(
        cls,
        ts: str,
        memory_allocated_gb_seconds: float,
        memory_used_gb_seconds: float,
        uptime_seconds: float,
        allocated_memory_mb: int,
        used_memory_mb_avg: int,
        used_memory_mb_peak: int,
    ) -> Self: ...
    @property
    def ts(self) -> str: ...
    @property
    def memory_allocated_gb_seconds(self) -> float: ...
    @property
    def memory_used_gb_seconds(self) -> float: ...
    @property
    def uptime_seconds(self) -> float: ...
    @property
    def allocated_memory_mb(self) -> int: ...
    @property
    def used_memory_mb_avg(self) -> int: ...
    @property
    def used_memory_mb_peak(self) -> int: ...
    @property
    def ts_datetime(self) -> datetime: ...

@final
class SandboxUsage(_Model):
    __match_args__ = (
        "sandbox_id",
        "from_",
        "to",
        "as_of",
        "memory_gb_seconds",
        "disk_overage_gb_seconds",
        "tags",
        "tags_last_updated_at",
        "first_started_at",
        "last_ended_at",
        "alias",
        "status",
        "totals",
        "points",
    )
    def __new__(
        cls,
        sandbox_id: str,
        from_: str,
        to: str,
        as_of: str | None,
        memory_gb_seconds: float,
        disk_overage_gb_seconds: float | None,
        tags: Mapping[str, str] | None,
        tags_last_updated_at: str | None,
        first_started_at: str | None,
        last_ended_at: str | None,
        alias: str | None = ...,
        status: str | None = ...,
        totals: SandboxUsageTotals | None = ...,
        points: Iterable[UsagePoint] | None = ...,
    ) -> Self: ...
    @property
    def sandbox_id(self) -> str: ...
    @property
    def from_(self) -> str: ...
    @property
    def to(self) -> str: ...
    @property
    def as_of(self) -> str | None: ...
    @property
    def memory_gb_seconds(self) -> float: ...
    @property
    def disk_overage_gb_seconds(self) -> float | None: ...
    @property
    def tags(self) -> Tags | None: ...
    @property
    def user_tags(self) -> Tags | None: ...
    @property
    def tags_last_updated_at(self) -> str | None: ...
    @property
    def first_started_at(self) -> str | None: ...
    @property
    def last_ended_at(self) -> str | None: ...
    @property
    def alias(self) -> str | None: ...
    @property
    def status(self) -> str | None: ...
    @property
    def totals(self) -> SandboxUsageTotals | None: ...
    @property
    def points(self) -> tuple[UsagePoint, ...] | None: ...
    @property
    def from_datetime(self) -> datetime: ...
    @property
    def to_datetime(self) -> datetime: ...
    @property
    def as_of_datetime(self) -> datetime | None: ...
    @property
    def tags_last_updated_datetime(self) -> datetime | None: ...
    @property
    def first_started_datetime(self) -> datetime | None: ...
    @property
    def last_ended_datetime(self) -> datetime | None: ...

@final
class TagKeySummary(_Model):
    __match_args__ = ("key", "sandbox_count", "value_count")
    def __new__(cls, key: str, sandbox_count: int, value_count: int) -> Self: ...
    @property
    def key(self) -> str: ...
    @property
    def sandbox_count(self) -> int: ...
    @property
    def value_count(self) -> int: ...

@final
class SandboxTags(_Model):
    __match_args__ = ("tags", "tags_last_updated_at", "etag")
    def __new__(cls, tags: Mapping[str, str], tags_last_updated_at: str | None, etag: str | None) -> Self: ...
    @property
    def tags(self) -> Tags: ...
    @property
    def user_tags(self) -> Tags: ...
    @property
    def tags_last_updated_at(self) -> str | None: ...
    @property
    def etag(self) -> str | None: ...
    @property
    def tags_last_updated_datetime(self) -> datetime | None: ...
    def condition(self) -> str: ...

@final
class Sandbox(_Model):
    __match_args__ = (
        "sandbox_id",
        "status",
        "region",
        "worker_id",
        "template",
        "started_at",
        "alias",
        "tags",
        "tags_last_updated_at",
    )
    def __new__(
        cls,
        sandbox_id: str,
        status: str,
        region: str | None,
        worker_id: str | None,
        template: str | None,
        started_at: str,
        alias: str | None = ...,
        tags: Mapping[str, str] | None = ...,
        tags_last_updated_at: str | None = ...,
    ) -> Self: ...
    @property
    def sandbox_id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def region(self) -> str | None: ...
    @property
    def worker_id(self) -> str | None: ...
    @property
    def template(self) -> str | None: ...
    @property
    def started_at(self) -> str: ...
    @property
    def alias(self) -> str | None: ...
    @property
    def tags(self) -> Tags | None: ...
    @property
    def user_tags(self) -> Tags | None: ...
    @property
    def tags_last_updated_at(self) -> str | None: ...
    @property
    def started_datetime(self) -> datetime: ...
    @property
    def tags_last_updated_datetime(self) -> datetime | None: ...

@final
class Limits(_Model):
    __match_args__ = (
        "max_tags",
        "max_tag_key_characters",
        "max_tag_value_characters",
        "default_window_days",
        "max_window_days",
        "default_page_limit",
        "max_page_limit",
        "max_filter_values",
        "max_filters",
        "max_query_bytes",
        "max_body_bytes",
        "max_sandbox_id_characters",
        "query_budget_seconds",
        "included_disk_mb",
    )
    def __new__(
        cls,
        max_tags: int,
        max_tag_key_characters: int,
        max_tag_value_characters: int,
        default_window_days: int,
        max_window_days: int,
        default_page_limit: int,
        max_page_limit: int,
        max_filter_values: int,
        max_filters: int,
        max_query_bytes: int,
        max_body_bytes: int,
        max_sandbox_id_characters: int,
        query_budget_seconds: int,
        included_disk_mb: int,
    ) -> Self: ...
    @property
    def max_tags(self) -> int: ...
    @property
    def max_tag_key_characters(self) -> int: ...
    @property
    def max_tag_value_characters(self) -> int: ...
    @property
    def default_window_days(self) -> int: ...
    @property
    def max_window_days(self) -> int: ...
    @property
    def default_page_limit(self) -> int: ...
    @property
    def max_page_limit(self) -> int: ...
    @property
    def max_filter_values(self) -> int: ...
    @property
    def max_filters(self) -> int: ...
    @property
    def max_query_bytes(self) -> int: ...
    @property
    def max_body_bytes(self) -> int: ...
    @property
    def max_sandbox_id_characters(self) -> int: ...
    @property
    def query_budget_seconds(self) -> int: ...
    @property
    def included_disk_mb(self) -> int: ...

@final
class SandboxItem(_Model):
    __match_args__ = (
        "sandbox_id",
        "memory_gb_seconds",
        "disk_overage_gb_seconds",
        "tags",
        "tags_last_updated_at",
        "alias",
        "status",
    )
    def __new__(
        cls,
        sandbox_id: str,
        memory_gb_seconds: float,
        disk_overage_gb_seconds: float,
        tags: Mapping[str, str] | None,
        tags_last_updated_at: str | None,
        alias: str | None = ...,
        status: str | None = ...,
    ) -> Self: ...
    @property
    def sandbox_id(self) -> str: ...
    @property
    def memory_gb_seconds(self) -> float: ...
    @property
    def disk_overage_gb_seconds(self) -> float: ...
    @property
    def tags(self) -> Tags | None: ...
    @property
    def user_tags(self) -> Tags | None: ...
    @property
    def tags_last_updated_at(self) -> str | None: ...
    @property
    def alias(self) -> str | None: ...
    @property
    def status(self) -> str | None: ...
    @property
    def tags_last_updated_datetime(self) -> datetime | None: ...

@disjoint_base
class TagUsage(_Model):
    __match_args__ = ("from_", "to", "as_of", "group_by", "total", "untagged", "items", "next_cursor")
    def __new__(
        cls,
        from_: str,
        to: str,
        as_of: str | None,
        group_by: str,
        total: Amounts,
        untagged: Untagged | None,
        items: Iterable[TagItem],
        next_cursor: str | None,
        _fetch: Any = ...,
    ) -> Self: ...
    @property
    def from_(self) -> str: ...
    @property
    def to(self) -> str: ...
    @property
    def as_of(self) -> str | None: ...
    @property
    def group_by(self) -> str: ...
    @property
    def total(self) -> Amounts: ...
    @property
    def untagged(self) -> Untagged | None: ...
    @property
    def items(self) -> tuple[TagItem, ...]: ...
    @property
    def next_cursor(self) -> str | None: ...
    @property
    def _fetch(self) -> Any: ...
    @property
    def from_datetime(self) -> datetime: ...
    @property
    def to_datetime(self) -> datetime: ...
    @property
    def as_of_datetime(self) -> datetime | None: ...
    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...
    @classmethod
    def from_json(cls, body: str | bytes | bytearray | memoryview, /) -> Self: ...

@disjoint_base
class SandboxesUsage(_Model):
    __match_args__ = ("from_", "to", "as_of", "group_by", "total", "items", "next_cursor")
    def __new__(
        cls,
        from_: str,
        to: str,
        as_of: str | None,
        group_by: str | None,
        total: Amounts,
        items: Iterable[SandboxItem],
        next_cursor: str | None,
        _fetch: Any = ...,
    ) -> Self: ...
    @property
    def from_(self) -> str: ...
    @property
    def to(self) -> str: ...
    @property
    def as_of(self) -> str | None: ...
    @property
    def group_by(self) -> str | None: ...
    @property
    def total(self) -> Amounts: ...
    @property
    def items(self) -> tuple[SandboxItem, ...]: ...
    @property
    def next_cursor(self) -> str | None: ...
    @property
    def _fetch(self) -> Any: ...
    @property
    def from_datetime(self) -> datetime: ...
    @property
    def to_datetime(self) -> datetime: ...
    @property
    def as_of_datetime(self) -> datetime | None: ...
    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...
    @classmethod
    def from_json(cls, body: str | bytes | bytearray | memoryview, /) -> Self: ...

@final
class Table:
    def __new__(cls, items: Iterable[TagItem] | Iterable[SandboxItem], /) -> Self: ...
    def __len__(self) -> int: ...
    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...

@final
class Request:
    @property
    def method(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def headers(self) -> dict[str, str]: ...
    @property
    def body(self) -> bytes | None: ...
    @property
    def timeout(self) -> float: ...

@final
class Client:
    def __new__(
        cls,
        user_agent: str,
        config: object,
        *,
        ssl_cert_file: str | PathLike[str] | None = None,
        proxy: str | None = None,
        connect_timeout: float | None = None,
        read_timeout: float | None = None,
    ) -> Self: ...
    def call(
        self,
        operation: str,
        params: object,
        options: object,
        now_ms: float | None = None,
        log: Callable[[str], None] | None = None,
    ) -> Exchange: ...
    def close(self) -> None: ...

@final
class Exchange:
    def begin(self, at: _At | None = None) -> tuple[str, Any]: ...
    def answer(
        self, status: int, headers: list[tuple[str, str]], body: bytes, at: _At | None = None
    ) -> tuple[str, Any]: ...
    def connection_fault(self, cause: str, at: _At | None = None) -> tuple[str, Any]: ...
    def timeout(self, at: _At | None = None) -> tuple[str, Any]: ...
    def waited(self, at: _At | None = None) -> tuple[str, Any]: ...
    def changed(self, tags: object, at: _At | None = None) -> tuple[str, Any]: ...
    def run(self, *changed: object) -> tuple[str, Any]: ...
    def start(self, queue: CompletionQueue, future: object, *changed: object) -> Task: ...

@final
class CompletionQueue:
    def __new__(cls) -> Self: ...
    def fileno(self) -> int: ...
    def drain(self) -> None: ...

@final
class Task:
    def abort(self) -> None: ...
