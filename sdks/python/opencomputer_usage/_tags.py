"""The immutable dicts of models: the tags of a sandbox, and the values of a group."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

ValueT = TypeVar("ValueT")


class _Fixed(dict[str, ValueT]):
    """An immutable dict with string keys."""

    __slots__ = ("__weakref__",)

    _name = "dict"
    _none = False

    def __new__(cls, items: Mapping[str, ValueT], /) -> Self:
        """Takes any mapping with keys and values of the right types."""
        made = super().__new__(cls)
        wanted = f"{cls._name} must be a mapping of str to str{' or None' if cls._none else ''}"
        if not hasattr(items, "keys"):
            msg = f"{wanted}, got {type(items).__name__}"
            raise TypeError(msg)
        given: dict[Any, Any] = dict(items)
        fill: Any = dict[Any, Any].__setitem__
        for key, value in given.items():
            if not isinstance(key, str) or not (isinstance(value, str) or (cls._none and value is None)):
                msg = f"{wanted}, got {type(key).__name__} to {type(value).__name__}"
                raise TypeError(msg)
            f"{key}{value}".encode()  # rejects lone surrogates, which keys and values cannot have
            fill(made, key, value)
        return made

    def __init__(self, items: Mapping[str, ValueT], /) -> None:
        """Does nothing: `__new__` has filled the dict."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        msg = f"{self._name} cannot be changed, take {{**{self._name}, ...}}"
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
        return f"{type(self).__name__}({super().__repr__()})"

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, ValueT]]]:
        """Pickles the dict as its class and a plain dict."""
        return type(self), (dict(self),)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Returns the schema for pydantic."""
        from ._pydantic import fixed_schema

        return fixed_schema(cls, nullable=cls._none)


class Tags(_Fixed[str]):
    """Tags of a sandbox: an immutable dict. `{**tags, "env": "prod"}` and `tags | {…}` create a mutable dict.

    >>> tags = Tags({"team": "payments"})
    >>> tags | {"env": "prod"}
    {'team': 'payments', 'env': 'prod'}
    >>> tags["env"] = "prod"
    Traceback (most recent call last):
    TypeError: tags cannot be changed, take {**tags, ...}
    """

    __slots__ = ()
    _name = "tags"


class Group(_Fixed["str | None"]):
    """The value of each dimension of a group, in the order of `group_by`; None if the sandboxes lack it.

    >>> group = Group({"tag:team": "payments", "region": None})
    >>> group["tag:team"]
    'payments'
    """

    __slots__ = ()
    _name = "group"
    _none = True
