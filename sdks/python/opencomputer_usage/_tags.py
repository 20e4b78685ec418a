"""The tags of a sandbox, as models have them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

    from typing_extensions import Self


class Tags(dict[str, str]):
    """Tags of a sandbox: an immutable dict. `{**tags, "env": "prod"}` and `tags | {…}` create a mutable dict.

    >>> tags = Tags({"team": "payments"})
    >>> tags | {"env": "prod"}
    {'team': 'payments', 'env': 'prod'}
    >>> tags["env"] = "prod"
    Traceback (most recent call last):
    TypeError: tags cannot be changed, take {**tags, ...}
    """

    __slots__ = ("__weakref__",)

    def __new__(cls, tags: Mapping[str, str], /) -> Self:
        """Takes any mapping of strings."""
        made = super().__new__(cls)
        if not hasattr(tags, "keys"):
            msg = f"tags must be a mapping of str to str, got {type(tags).__name__}"
            raise TypeError(msg)
        given: dict[Any, Any] = dict(tags)
        for key, value in given.items():
            if not isinstance(key, str) or not isinstance(value, str):
                msg = f"tags must be a mapping of str to str, got {type(key).__name__} to {type(value).__name__}"
                raise TypeError(msg)
            f"{key}{value}".encode()  # refuses lone surrogates, which no tag can have
            dict.__setitem__(made, key, value)
        return made

    def __init__(self, tags: Mapping[str, str], /) -> None:
        """Does nothing: `__new__` has filled the dict."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        msg = "tags cannot be changed, take {**tags, ...}"
        raise TypeError(msg)

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = _refuse  # pyright: ignore[reportAssignmentType]

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc]
        """Makes `tags |= {...}` bind the name to a new dict."""
        return NotImplemented

    def __hash__(self) -> int:  # type: ignore[override]
        """Returns the hash of the keys with their values."""
        return hash(frozenset(self.items()))

    def __repr__(self) -> str:
        """Includes the class name."""
        return f"Tags({super().__repr__()})"

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, str]]]:
        """Pickles the tags as the class and a dict."""
        return type(self), (dict(self),)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Returns the schema for pydantic."""
        from ._pydantic import tags_schema

        return tags_schema(cls)
