"""Type errors in Python's words. The core serves several languages and calls None `null`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from os import PathLike
from typing import Any

from ._errors import InvalidRequestError

# Typed as Any so that type checkers do not ask for their parameters.
_MAPPING: type[Any] = Mapping
_SEQUENCE: type[Any] = Sequence
_LIST: tuple[type[Any], ...] = (list, tuple)


def is_number(value: Any) -> bool:
    """Returns whether the core accepts a value as a number: also numpy's and Decimal, but no boolean."""
    number = hasattr(value, "__float__") or hasattr(value, "__index__")
    return number and type(value).__name__ not in ("bool", "bool_")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, PathLike))


def _is_time(value: Any) -> bool:
    return isinstance(value, (str, date))


def _is_headers(value: Any) -> bool:
    return isinstance(value, _MAPPING) and all(map(_is_text, [*value.keys(), *value.values()]))


def _is_filters(value: Any) -> bool:
    return isinstance(value, _MAPPING) and all(map(_is_text, value.keys())) and all(map(_is_filter, value.values()))


def _is_filter(value: Any) -> bool:
    return value is None or _is_text(value) or (isinstance(value, _SEQUENCE) and all(map(_is_text, value)))


def _is_dimensions(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, _LIST) and all(map(_is_text, value)))


def _is_mapping(value: Any) -> bool:
    return isinstance(value, _MAPPING)


# By the core's name: Python's name, the error code, the check, and the allowed type in words.
_PARAMETERS: dict[str, tuple[str, str, Any, str]] = {
    "groupBy": ("group_by", "invalid_group_by", _is_dimensions, "a str or a list of str"),
    "from": ("from_", "invalid_timestamp", _is_time, "a str, an aware datetime or a date"),
    "to": ("to", "invalid_timestamp", _is_time, "a str, an aware datetime or a date"),
    "timezone": ("time_zone", "invalid_timezone", _is_text, "a str"),
    "interval": ("interval", "invalid_interval", _is_text, "a str"),
    "filter": ("filter", "invalid_filter", _is_filters, "a mapping of str to a list of str, None or a str"),
    "exclude": ("exclude", "invalid_filter", _is_filters, "a mapping of str to a list of str, None or a str"),
    "state": ("state", "invalid_state", _is_text, "a str"),
    "prefix": ("prefix", "invalid_prefix", _is_text, "a str"),
    "sort": ("sort", "invalid_sort", _is_text, "a str"),
    "limit": ("limit", "invalid_limit", is_number, "an int"),
    "cursor": ("cursor", "invalid_cursor", _is_text, "a str"),
    "sandboxId": ("sandbox_id", "invalid_sandbox_id", _is_text, "a str"),
    "tags": ("tags", "invalid_body", _is_mapping, "a mapping of str to str"),
    "ifMatch": ("if_match", "", _is_text, "a str"),
}
# The key of a tag, which the calls name differently in their errors.
_KEYS = ("invalid_group_by", "invalid_tag_key")
_OPTIONS: dict[str, tuple[Any, str]] = {
    "api_key": (_is_text, "a str"),
    "base_url": (_is_text, "a str"),
    "timeout": (is_number, "a number of seconds"),
    "max_retries": (is_number, "an int"),
    "headers": (_is_headers, "a mapping of str to str"),
    "connect_timeout": (is_number, "a number of seconds"),
    "read_timeout": (is_number, "a number of seconds"),
    "proxy": (_is_text, "a str"),
    "ssl_cert_file": (_is_path, "a str or PathLike"),
}


def of_parameters(error: InvalidRequestError, params: Mapping[str, object]) -> InvalidRequestError:
    """Returns the error of a call. If a parameter has the wrong type, the error names it and its type."""
    for name, value in params.items():
        if name == "key":
            if error.code in _KEYS and not _is_text(value):
                return _of_type(name, value, "a str", error.code)
            continue
        if name == "walk":  # the state of a walk, which no caller passes
            continue
        known, code, fits, allowed = _PARAMETERS[name]
        absent = value is None and name not in ("groupBy", "sandboxId", "tags")
        if code == (error.code or "") and not absent and not fits(value):
            return _of_type(known, value, allowed, error.code)
    return error


def check_options(**given: object) -> None:
    """Raises an error for an option of the wrong type."""
    for name, value in given.items():
        fits, allowed = _OPTIONS[name]
        if value is not None and not fits(value):
            raise _of_type(name, value, allowed, None)


def _of_type(name: str, value: Any, allowed: str, code: str | None) -> InvalidRequestError:
    return InvalidRequestError(f"{name} must be {allowed}, got {_type_of(value)}", code=code)


def _type_of(value: Any) -> str:
    """Returns the name of a value's type; for a mapping or a list, also the types of its items."""
    name = type(value).__name__
    if isinstance(value, _MAPPING):
        pairs = sorted({f"{type(key).__name__} to {_type_of(held)}" for key, held in value.items()})
        return f"{name} of {', '.join(pairs)}" if pairs else name
    if isinstance(value, _LIST):
        held = sorted({type(item).__name__ for item in value})
        return f"{name} of {', '.join(held)}" if held else name
    return name
