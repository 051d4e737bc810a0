"""A pydantic model over a part of a document, with errors as one line: where, what, what to do."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from healing_runtime.core.errors import FileFormatError, InputError
from healing_runtime.workspace.document import Document, KeyPath, suggestion

Model = TypeVar("Model", bound=BaseModel)


_LIST, _MAPPING = "a list; begin each entry with '- '", "a mapping; write 'key: value' lines"
_FORMS = {
    "string_type": "text; write it on the line of its key, or in quotes",
    **dict.fromkeys(("list_type", "tuple_type"), _LIST),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), _MAPPING),
}


_ADVICE = {
    "float_type": "; write a number without a unit",
    "int_type": "; write a whole number",
    "value_error": "",
}


def validate(model: type[Model], document: Document, value: Any, at: KeyPath = ()) -> Model:
    """`read`, where a mistake is an exception.

    Raises:
        FileFormatError: the first mistake in the order of the file; `more` holds the others.
    """
    found = read(model, document, value, at)
    if isinstance(found, Mistakes):
        raise in_order([mistake.error for mistake in found.told])
    return found


class Mistake(NamedTuple):
    """What is wrong with a value, and where the value stands."""

    path: KeyPath
    error: FileFormatError


class Mistakes(NamedTuple):
    """Every mistake, and those of them that are told: a mistyped key leaves another one missing, which goes unsaid."""

    every: list[Mistake]
    told: list[Mistake]


def read(
    model: type[Model], document: Document, value: Any, at: KeyPath = (), beside: Collection[str] = ()
) -> Model | Mistakes:
    """`value`, which stands at `at` in the document, as an instance of `model`, or what is wrong with it.

    `beside` are keys that may stand there too and that another model has read; they are named where one is unknown.

    Validated as JSON and strictly: lists become tuples, but no text becomes a number and no Boolean becomes one.
    """
    try:
        return model.model_validate_json(json.dumps(_with_units_spelled(model, value)), strict=True)
    except ValidationError as error:
        entries = error.errors(include_url=False, include_context=True)
        unknown = any(entry["type"] == "extra_forbidden" for entry in entries)
        lines = [(e["type"], Mistake(_path(document, e, at), _line(model, document, e, at, beside))) for e in entries]
        told = [mistake for kind, mistake in lines if kind != "missing" or not unknown]
        return Mistakes([mistake for _, mistake in lines], told)


def in_order(errors: Sequence[InputError]) -> InputError:
    """The first mistake in the order of the file; `more` holds the others."""
    first, *others = ordered(errors)
    first.more = tuple(others)
    return first


def ordered(errors: Sequence[InputError]) -> tuple[InputError, ...]:
    """Mistakes in the order of the file."""
    return tuple(sorted(errors, key=lambda e: (e.where.line, e.where.column) if e.where else (0, 0)))


def _path(document: Document, entry: Mapping[str, Any], at: KeyPath) -> KeyPath:
    return (*at, *_spelled_out(document, at, entry["loc"]))


def _with_units_spelled(model: type[BaseModel], value: Any) -> Any:
    """`start_s: 3` as `start: 3 s`, for the times that a file model names."""
    if isinstance(value, list):
        return [_with_units_spelled(model, entry) for entry in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for key, inner in value.items():
        time = key.removesuffix("_s")
        if time != key and time in getattr(model, "times", ()) and time not in value:
            number = isinstance(inner, int | float) and not isinstance(inner, bool)
            out[time] = f"{inner} s" if number else inner
            continue
        nested = _model_in(model.model_fields[key].annotation) if key in model.model_fields else None
        out[key] = inner if nested is None else _with_units_spelled(nested, inner)
    return out


def _line(
    model: type[BaseModel], document: Document, entry: Mapping[str, Any], at: KeyPath, beside: Collection[str]
) -> FileFormatError:
    path = _path(document, entry, at)
    name = dotted(path)
    kind, given = entry["type"], entry["input"]
    if kind == "extra_forbidden":
        time = str(path[-1]).removesuffix("_s")
        if time != path[-1] and time in _times_at(model, entry["loc"][:-1]):
            what = f"{name} and {time} are the same time; keep one."
            return FileFormatError(what, where=document.where_key(path))
        known = [*_known_keys(model, entry["loc"][:-1]), *(beside if len(entry["loc"]) == 1 else ())]
        hint = suggestion(str(path[-1]), known, what="Known keys") or " Remove it."
        return FileFormatError(f"unknown key '{path[-1]}'.{hint}", where=document.where_key(path))
    if kind == "missing":
        return FileFormatError(f"the key '{name}' is missing; add it.", where=document.where(path[:-1]))
    if kind in ("literal_error", "enum"):
        known = [word.strip(" '") for word in entry["ctx"]["expected"].replace(" or ", ", ").split(",")]
        hint = suggestion(str(given), known, what="Write one of")
        return FileFormatError(f"{name} cannot be {_shown(given)}.{hint}", where=document.where(path))
    if kind == "bool_type":
        what = f"{name} cannot be {_shown(given)}; write true or false."
        return FileFormatError(what, where=document.where(path))
    if kind == "string_too_short":
        return FileFormatError(f"{name} is empty; write it, or remove the key.", where=document.where_key(path))
    if kind == "string_pattern_mismatch":
        what = "use lower-case letters, digits and '_' ('-' in ids), a letter first"
        return FileFormatError(f"{name}: {_shown(given)} is not a name; {what}.", where=document.where(path))
    if kind in _FORMS:
        what = f"{name or 'the file'}: must be {_FORMS[kind]}"
        if given is None and path and isinstance(path[-1], str):
            # The parser puts what is not there at the next key.
            what = f"{name} is empty; write it, or remove the key."
            return FileFormatError(what, where=document.where_key(path))
        if kind == "string_type" and isinstance(given, int | float):
            what = f"{name}: must be text, not {_shown(given)}; put it in quotes"
        return FileFormatError(f"{what}.", where=document.where(path))
    message = entry["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = " ".join(message.replace("Input should be", "must be").replace("Input should", "must").split()).rstrip(
        "."
    )
    got = "" if isinstance(given, Mapping) or kind == "value_error" else f", not {_shown(given)}"
    advice = "" if "; " in message else _ADVICE.get(kind, "; write one that is")
    return FileFormatError(f"{name or 'the file'}: {message}{got}{advice}.", where=document.where(path))


def _spelled_out(document: Document, at: KeyPath, location: Sequence[str | int]) -> KeyPath:
    """The part of an error's location that is in the file; pydantic adds names of its own for unions."""
    path: KeyPath = ()
    for index, part in enumerate(location):
        if (*at, *path, part) in document.marks or index == len(location) - 1:
            path = (*path, part)
    return path


def _known_keys(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    found = _model_at(model, location)
    return [] if found is None else list(found.model_fields)


def _times_at(model: type[BaseModel], location: Sequence[str | int]) -> tuple[str, ...]:
    return getattr(_model_at(model, location), "times", ())


def _model_at(model: type[BaseModel], location: Sequence[str | int]) -> Any:
    """The model of what stands there, None where none is declared."""
    current: Any = model
    for part in location:
        if isinstance(part, str) and part in current.model_fields:
            current = _model_in(current.model_fields[part].annotation)
            if current is None:
                return None
    return current


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner)) is not None), None)


def dotted(path: KeyPath) -> str:
    """`("faults", 0, "kind")` -> `faults[0].kind`."""
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else part
    return out


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
