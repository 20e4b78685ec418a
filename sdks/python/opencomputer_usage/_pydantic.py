"""Schemas of the models for pydantic. Only pydantic causes this module to be imported."""

from __future__ import annotations

from typing import Any

from pydantic_core import core_schema


def schema(model: Any, handler: Any) -> Any:
    """Returns the schema of a model: it reads an instance or an object with wire names, and writes such an object."""
    written = _written(model)
    fields = [(name, wire) for name, wire, *_ in model._fields]

    def make(members: dict[str, Any]) -> Any:
        return model(**{name: members.get(wire) for name, wire in fields})

    read = core_schema.no_info_after_validator_function(make, _members(model, handler.generate_schema))
    return core_schema.json_or_python_schema(
        json_schema=read,
        python_schema=core_schema.union_schema([core_schema.is_instance_schema(model), read]),
        serialization=core_schema.plain_serializer_function_ser_schema(
            lambda value: value.to_dict(), return_schema=written
        ),
    )


def fixed_schema(cls: Any, *, nullable: bool) -> Any:
    """Returns the schema of an immutable dict: an object of strings, or of strings and nulls."""
    return core_schema.no_info_after_validator_function(cls, _strings(nullable))


def _strings(nullable: bool) -> Any:
    value: Any = core_schema.str_schema()
    return core_schema.dict_schema(core_schema.str_schema(), core_schema.nullable_schema(value) if nullable else value)


def _written(model: Any) -> Any:
    """Returns the schema of the object that a model is written as."""
    return _members(model, _written)


def _members(model: Any, of_model: Any) -> Any:
    known: dict[str, Any] = {
        "text": core_schema.str_schema(),
        "number": core_schema.float_schema(),
        "count": core_schema.int_schema(ge=0, lt=2**64),
        "numbers": core_schema.list_schema(core_schema.float_schema()),
        "flag": core_schema.bool_schema(),
        "tags": _strings(nullable=False),
        "group": _strings(nullable=True),
    }
    members: dict[str, Any] = {}
    for _, wire, kind, nested, nullable, may_lack in model._fields:
        value = known[kind] if nested is None else of_model(nested)
        if kind == "many":
            value = core_schema.list_schema(value)
        if nullable:
            value = core_schema.nullable_schema(value)
        members[wire] = core_schema.typed_dict_field(value, required=not may_lack)
    return core_schema.typed_dict_schema(members, cls_name=model.__name__)
