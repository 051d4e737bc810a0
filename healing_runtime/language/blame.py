"""Where in the user's source something happened, and what it means there."""

from __future__ import annotations

import ast
import contextlib
import difflib
import itertools
from collections.abc import Iterator
from types import CodeType, TracebackType
from typing import Any

import jax

from healing_runtime.core.errors import HealingError, Location, SubsetError
from healing_runtime.core.signals import SignalTable
from healing_runtime.language.controller import Controller


def position(controller: Controller, traceback: TracebackType | None) -> tuple[int, int]:
    """Line and column, from 1, of the innermost frame that runs the controller's source; (0, 0) if there is none."""
    found = (0, 0)
    while traceback:
        code = traceback.tb_frame.f_code
        if code.co_filename == controller.filename:
            found = _place(code, traceback.tb_lasti)
        traceback = traceback.tb_next
    return found


def equation_position(controller: Controller, eqn: Any) -> tuple[int, int]:
    """Line and column, from 1, of the source that made an equation; (0, 0) if it is not the source's doing."""
    traceback = eqn.source_info.traceback
    if traceback is None:
        return 0, 0
    for code, instruction in zip(*traceback.raw_frames(), strict=True):
        if code.co_filename == controller.filename:
            return _place(code, instruction)
    return 0, 0


def _place(code: CodeType, instruction: int) -> tuple[int, int]:
    """Line and column, from 1, of a bytecode offset."""
    line, _, column, _ = next(itertools.islice(code.co_positions(), instruction // 2, None))
    return line or code.co_firstlineno, 0 if column is None else column + 1


def refusal(controller: Controller, function: str, message: str, *, line: int = 0, column: int = 0) -> SubsetError:
    """An error at a place of the source; without one, at the last return of the function it is about."""
    if not line:
        line, column = return_position(controller, function)
    return SubsetError(message + ".", where=Location(controller.parsed.source.path, line, column))


@contextlib.contextmanager
def blaming(controller: Controller, table: SignalTable | None, function: str) -> Iterator[None]:
    """Whatever the source raises inside becomes a SubsetError at its line."""
    try:
        yield
    except HealingError:
        raise
    except Exception as error:
        line, column = position(controller, error.__traceback__)
        message = _meaning(error, table, _line(controller, line))
        raise refusal(controller, function, message, line=line, column=column) from None


def _meaning(error: Exception, table: SignalTable | None, line: str) -> str:
    match error:
        case KeyError(args=(key,)):
            return _unknown_key(str(key), table, line)
        case jax.errors.TracerBoolConversionError():
            return (
                "this condition depends on data; use jnp.where, jnp.logical_and or lax.cond, not if, and, or, min, max"
            )
        case jax.errors.TracerIntegerConversionError():
            return "this index depends on data and is used as a constant; use lax.dynamic_index_in_dim or jnp.take"
        case jax.errors.ConcretizationTypeError():
            return "this value depends on data and is used as a constant; keep it an array"
        case UnboundLocalError() | NameError():
            return f"{error}; assign it on every path first"
        case RecursionError():
            return "the code calls itself without end; write a loop with a constant bound"
        case ZeroDivisionError():
            return "a division of constants by zero; write the number that is meant"
    text = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
    return text if ";" in text and len(text) < 200 else f"{text[:300]}; mend shapes and arguments of this expression"


def _unknown_key(key: str, table: SignalTable | None, line: str) -> str:
    known = [*table.observed.by_key, "dt_s"] if table and "obs" in line else []
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.4)
    if known:
        hint = f"did you mean {' or '.join(near)}?" if near else f"the keys of obs are {', '.join(known)}"
        return f'"{key}" is not a key of obs; {hint}'.removesuffix(".")
    return f'there is no key "{key}" here; init, PARAMS and control must agree on it'


def _line(controller: Controller, line: int) -> str:
    lines = controller.parsed.source.text.split("\n")
    return lines[line - 1] if 0 < line <= len(lines) else ""


def return_position(controller: Controller, function: str) -> tuple[int, int]:
    """Line and column of the last return of `init` or `control` (which the contract is a part of)."""
    name = "control" if function == "contract" else function
    body = next(s for s in controller.parsed.tree.body if isinstance(s, ast.FunctionDef) and s.name == name)
    returns = [s for s in ast.walk(body) if isinstance(s, ast.Return)]
    place = max(returns, key=lambda s: s.lineno) if returns else body
    return place.lineno, place.col_offset + 1
