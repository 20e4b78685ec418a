"""Functions that need no key and no network: for forms, dashboards and tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from . import _core
from ._errors import refusal
from ._models import Cursor, GroupBy, Limits, Model, TagViolation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LIMITS = Limits.from_wire(json.loads(_core.limits()))
"""The limits of the API, such as `LIMITS.max_tags`."""


def validate_tags(tags: Mapping[str, str]) -> list[TagViolation]:
    """Every violation of a map of tags, in a fixed order; an empty list where the tags may be written.

    >>> validate_tags({"team": "payments"})
    []
    >>> [violation.code for violation in validate_tags({"oc:team": "a", "": "b"})]
    ['key_empty', 'key_reserved_prefix']

    Raises:
        InvalidRequestError: `invalid_body` if it is no map, or has a key that is no string.
    """
    try:
        found = _core.validate_tags(tags)
    except _core.CoreError as error:
        raise refusal(error) from None
    return [] if found is None else _violations(found)


def validate_tag_key(key: str) -> list[TagViolation]:
    """Every violation of one tag key, for a form that validates as the user types.

    >>> [violation.message for violation in validate_tag_key("team name")]
    ['tag key contains ` ` (U+0020), allowed are letters `A-Z a-z`, digits and `_ . - :`']

    Raises:
        InvalidRequestError: `invalid_body` if it is no string.
    """
    return _violations(_call(_core.validate_tag_key, key))


def validate_tag_value(value: str) -> list[TagViolation]:
    """Every violation of one tag value; the key of each is None.

    >>> [violation.code for violation in validate_tag_value("x" * 257)]
    ['value_too_long']
    """
    return _violations(_call(_core.validate_tag_value, value))


def parse_group_by(group_by: str) -> GroupBy:
    """Reads a `groupBy`.

    >>> parse_group_by("tag:team:payments")
    GroupBy(kind='tag', key='team:payments')

    Raises:
        InvalidRequestError: `missing_group_by` or `invalid_group_by`.
    """
    return GroupBy.from_wire(json.loads(_call(_core.parse_group_by, group_by)))


def format_group_by(group_by: GroupBy | Mapping[str, str]) -> str:
    """Writes a `groupBy`.

    >>> format_group_by(GroupBy("tag", "team"))
    'tag:team'
    >>> format_group_by({"kind": "sandbox"})
    'sandbox'

    Raises:
        InvalidRequestError: `invalid_group_by`.
    """
    text: str = json.loads(_call(_core.format_group_by, _plain(group_by)))
    return text


def parse_filter(raw: str) -> list[str] | None:
    """Reads the value of a tag filter: exact values, or None for *the sandbox lacks the tag*.

    >>> parse_filter('"a,b",c,""')
    ['a,b', 'c', '']
    >>> parse_filter("") is None
    True

    Raises:
        InvalidRequestError: `invalid_filter`.
    """
    values: list[str] | None = json.loads(_call(_core.parse_filter, raw))
    return values


def format_filter(values: Sequence[str] | None) -> str:
    """Writes exact values, or None for *the sandbox lacks the tag*, as the value of a tag filter.

    >>> format_filter(["a,b", "c", ""])
    '"a,b",c,""'
    >>> format_filter(None)
    ''

    Raises:
        InvalidRequestError: `invalid_filter`.
    """
    text: str = json.loads(_call(_core.format_filter, values))
    return text


def encode_cursor(cursor: Cursor | Mapping[str, Any]) -> str:
    """Writes a cursor.

    >>> encode_cursor(Cursor(8000.0, "payments"))
    'eyJ2Ijo4MDAwLjAsInQiOiJwYXltZW50cyJ9'

    Raises:
        InvalidRequestError: `invalid_cursor`.
    """
    text: str = json.loads(_call(_core.encode_cursor, _plain(cursor)))
    return text


def decode_cursor(text: str) -> Cursor:
    """Reads a cursor.

    >>> decode_cursor("eyJ2Ijo4MDAwLjAsInQiOiJwYXltZW50cyJ9").t
    'payments'

    Raises:
        InvalidRequestError: `invalid_cursor`.
    """
    return Cursor.from_wire(json.loads(_call(_core.decode_cursor, text)))


def _call(function: Callable[[object], str], value: object) -> str:
    try:
        return function(value)
    except _core.CoreError as error:
        raise refusal(error) from None


def _violations(found: str) -> list[TagViolation]:
    return list(map(TagViolation.from_wire, json.loads(found)))


def _plain(value: object) -> object:
    return value.to_dict() if isinstance(value, Model) else value
