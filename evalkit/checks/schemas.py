"""Validates values by a JSON Schema. References are not fetched, and slow patterns are stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evalkit.checks.outcome import Complaint

__all__ = ["schema_problem", "violation"]

_SECONDS = 2.0
_DATA = ("const", "enum", "default", "examples")


def violation(value: Any, schema: Any) -> Complaint:
    """Why the schema refuses the value; None if it accepts it."""
    from jsonschema.exceptions import best_match

    try:
        error = best_match(_validator(schema).iter_errors(value))
    except RecursionError:
        return "it is nested too deeply"
    if error is None:
        return None
    return f"the schema refuses {error.json_path}: {error.message[:200]}"


def schema_problem(schema: Any) -> str | None:
    """What is wrong with a schema; None if it is valid."""
    from jsonschema.exceptions import SchemaError

    if schema is None:
        return None
    try:
        _validator(schema).check_schema(schema)
    except SchemaError as error:
        return f"no JSON Schema: {error.message}"
    return next(_dangling(schema), None)


def _validator(schema: Any) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend, validator_for
    from referencing import Registry

    # An empty registry: nothing that a schema refers to is fetched from anywhere.
    base = validator_for(schema, default=Draft202012Validator)
    return extend(base, {"pattern": _pattern})(schema, registry=Registry())


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[Any]:
    """Like jsonschema's `pattern`, but with a time limit, so that a slow pattern can't block the run."""
    import regex
    from jsonschema.exceptions import ValidationError

    if isinstance(value, str) and not regex.search(pattern, value, timeout=_SECONDS):
        yield ValidationError(f"{value[:80]!r} does not match {pattern!r}")


def _dangling(schema: Any) -> Iterator[str]:
    """References to a file, a URL, or a missing part of the schema; none of them is opened."""
    from jsonschema_specifications import REGISTRY
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    if "$id" in str(schema):
        return  # parts with an $id are resolved by that name, which this check does not cover
    resolver = REGISTRY.resolver_with_root(DRAFT202012.create_resource(schema))
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            yield f"$ref: {reference!r} is no part of the schema, and nothing is fetched"


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for name, inner in part.items():
            if name not in _DATA:
                yield from _references(inner)
    elif isinstance(part, list | tuple):
        for inner in part:
            yield from _references(inner)
