"""What `init` and `control` return: checked against the signal table and against each other, as typed arrays."""

from __future__ import annotations

import ast
import difflib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.language import vocabulary
from healing_runtime.language.controller import Controller
from healing_runtime.language.execution.runtime import kind
from healing_runtime.language.messages import wording
from healing_runtime.language.messages.blame import refusal, return_of

Tree = Any

_RETURN = "write return action, next_state"


def memory(controller: Controller, state: Any, dtype: np.dtype) -> dict[str, Any]:
    """What `init` returns, as strongly typed arrays.

    Raises:
        SubsetError: at the last return of `init`.
    """
    if state is None:
        raise refusal(controller, "init", "init returns nothing; write return {} at its end where there is no memory")
    if not isinstance(state, dict):
        raise refusal(
            controller,
            "init",
            f'init returns {kind(state)}; write a dictionary with a name for each, as in {{"x": 0.0}}',
        )
    return _leaf(controller, "init", "state", state, dtype)


def step(
    controller: Controller, out: Any, table: SignalTable, state: Tree, dtype: np.dtype
) -> tuple[dict[str, Any], Tree]:
    """What `control` returns: `(action, next state)` as strongly typed arrays, the state like `state`.

    Raises:
        SubsetError: at the last return of `control`.
    """
    if not (isinstance(out, tuple) and len(out) == 2):
        raise refusal(controller, "control", _no_pair(controller, out))
    action, after = out
    if isinstance(action, dict) and isinstance(after, dict) and _swapped(action, after, table.action):
        raise refusal(controller, "control", f"the action comes first and the state second; {_RETURN}")
    return _action(controller, table.action, dtype, action), _state(controller, dtype, state, after)


def _no_pair(controller: Controller, out: Any) -> str:
    node = return_of(controller, "control")
    if out is None and not (isinstance(node, ast.Return) and _is_none(node.value)):
        return f"control ends without return on the path that is taken; {_RETURN} at its end"
    if isinstance(out, dict):
        given = wording.shown(node.value, "action") if isinstance(node, ast.Return) and node.value else "action"
        return f"control returns one dictionary and not the next state; write return {given}, next_state"
    return f"control returns {kind(out)}; {_RETURN}"


def _is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _swapped(action: dict[str, Any], after: dict[str, Any], layout: Layout) -> bool:
    names = set(layout.by_key)
    return not names & set(action) and bool(names) and names <= set(after)


# ---------------------------------------------------------------- the action
def _action(controller: Controller, layout: Layout, dtype: np.dtype, action: Any) -> dict[str, Any]:
    if not isinstance(action, dict):
        wanted = ", ".join(f'"{s.key}": ...' for s in layout)
        raise refusal(controller, "control", f"the action is {kind(action)}; write a dictionary, {{{wanted}}}")
    missing = [s.key for s in layout if s.key not in action]
    extra = [str(key) for key in action if key not in layout.by_key]
    if missing or extra:
        raise refusal(controller, "control", _other_keys(missing, extra, layout))
    checked = {}
    for signal in layout:
        name = f'action["{signal.key}"]'
        value = _leaf(controller, "control", name, action[signal.key], dtype, like=dtype)
        if isinstance(value, dict):
            raise refusal(controller, "control", f"{name} is a dictionary; write an array of shape {signal.shape}")
        if value.shape != signal.shape:
            raise refusal(controller, "control", _other_shape(name, value, signal))
        if value.dtype != dtype:
            raise refusal(controller, "control", _other_action_dtype(name, value, dtype))
        checked[signal.key] = value
    return checked


def _other_keys(missing: list[str], extra: list[str], layout: Layout) -> str:
    for key in extra:
        united = [m for m in missing if m.startswith(f"{key}_")]
        near = difflib.get_close_matches(key, missing, n=1)
        if united:
            return f'the key "{key}" of the action lacks its unit; write "{united[0]}"'
        if near:
            return f'"{key}" is not a key of the action; did you mean "{near[0]}"?'
    keys = ", ".join(s.key for s in layout)
    if missing:
        return f'the action lacks "{missing[0]}"; write every actuator into it: {keys}'
    return f'the action has "{extra[0]}", which is no actuator; leave it out: the keys are {keys}'


def _other_shape(name: str, value: Any, signal: Signal) -> str:
    if signal.shape == ():
        takes, remedy = "one number", "one element, as in x[0]"
    elif value.shape == () and len(signal.shape) == 1:
        takes, remedy = f"shape {signal.shape}", f"jnp.full({signal.shape[0]}, x)"
    else:
        takes, remedy = f"shape {signal.shape}", "an array of that shape"
    return f"{name} has shape {value.shape} and the actuator takes {takes}; write {remedy}"


def _other_action_dtype(name: str, value: Any, dtype: np.dtype) -> str:
    what = {"b": "Boolean", "i": "integer", "u": "integer"}.get(value.dtype.kind, str(value.dtype))
    as_float = _written(dtype, 'obs["dt_s"]')
    remedy = "jnp.where(condition, on, off)" if value.dtype.kind == "b" else f"jnp.astype(x, {as_float})"
    return f"{name} is {what} and the actuator takes {dtype}; write {remedy}"


# ---------------------------------------------------------------- the state
def _state(controller: Controller, dtype: np.dtype, before: Tree, after: Any) -> Tree:
    if not isinstance(after, dict):
        raise refusal(
            controller, "control", f"the next state is {kind(after)}; write a dictionary with the keys of init's"
        )
    missing, extra = sorted(set(before) - set(after)), sorted(map(str, set(after) - set(before)))
    if missing:
        raise refusal(
            controller,
            "control",
            f'state["{missing[0]}"] is in init and not in what control returns; write {{**state, ...}} with changes',
        )
    if extra:
        raise refusal(
            controller,
            "control",
            f'state["{extra[0]}"] is returned by control and not by init; write "{extra[0]}" into what init returns',
        )
    return {key: _same(controller, f'state["{key}"]', before[key], after[key], dtype) for key in after}


def _same(controller: Controller, name: str, before: Tree, after: Any, dtype: np.dtype) -> Tree:
    expected = jax.tree.structure(before)
    value = _leaf(controller, "control", name, after, dtype, like=before)
    if jax.tree.structure(value) != expected:
        raise refusal(
            controller, "control", f"{name} is built otherwise than in init; write it with the same keys and parts"
        )
    for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(value), strict=True):
        if old.shape != new.shape:
            raise refusal(controller, "control", _changed_shape(name, old, new))
        if old.dtype != new.dtype:
            raise refusal(controller, "control", _changed_dtype(name, old, new))
    return value


def _changed_shape(name: str, old: Any, new: Any) -> str:
    if len(old.shape) == len(new.shape) == 1 and new.shape[0] == old.shape[0] + 1:
        remedy = "memory cannot grow; write jnp.roll(x, 1).at[0].set(new) for a history"
    else:
        remedy = f"write {_zeros(new)} in init, or return that shape"
    return f"{name} has shape {old.shape} in init and {new.shape} after control; {remedy}"


def _changed_dtype(name: str, old: Any, new: Any) -> str:
    match old.dtype.kind, new.dtype.kind:
        case (("i" | "u"), "f"):
            remedy = "write 0.0 in init for a float, or // and integer steps here"
        case "b", _:
            remedy = "write 0.0 in init for a number, or return a comparison here"
        case "f", ("i" | "u"):
            remedy = f"write jnp.astype(x, {_written(old.dtype, name)}) here, or 0 in init for an integer"
        case _, "b":
            remedy = "write jnp.where(condition, 1.0, 0.0) here, or False in init"
        case _:
            remedy = f"write jnp.astype(x, {_written(old.dtype, name)}) here"
    return f"{name} is {old.dtype} in init and {new.dtype} after control; {remedy}"


def _written(dtype: np.dtype, holder: str) -> str:
    """A dtype as a source may write it: by its name if the vocabulary has it, else as that of a value."""
    return f"jnp.{dtype}" if vocabulary.is_constant(f"jnp.{dtype}") else f"{holder}.dtype"


def _zeros(leaf: Any) -> str:
    return "0.0" if leaf.shape == () else f"jnp.zeros({leaf.shape[0] if len(leaf.shape) == 1 else leaf.shape})"


# ---------------------------------------------------------------- values
def _leaf(controller: Controller, function: str, name: str, value: Any, dtype: np.dtype, like: Any = None) -> Any:
    """A returned value as strongly typed arrays. Python numbers and weak types take the dtype they are to replace.

    Integers have 32 bits whatever the tick's floats have: that is what memory is carried in.
    """
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                better = 'write one, as in {"x": 0.0}'
                raise refusal(controller, function, f"a key of {name} is {kind(key)} and no word in quotes; {better}")
        return {
            k: _leaf(controller, function, f'{name}["{k}"]', v, dtype, like.get(k) if isinstance(like, dict) else None)
            for k, v in value.items()
        }
    if isinstance(value, tuple | list):
        if not value:
            raise refusal(
                controller, function, f"{name} is empty, and memory cannot grow; write jnp.zeros(n) for n numbers"
            )
        parts = [_leaf(controller, function, f"{name}[{i}]", v, dtype) for i, v in enumerate(value)]
        if any(isinstance(part, dict) for part in parts):
            better = "write one dictionary with an array for each key"
            raise refusal(controller, function, f"{name} is a sequence of dictionaries; {better}")
        shapes = list(dict.fromkeys(str(part.shape) for part in parts))
        if len(shapes) > 1:
            better = "write jnp.concatenate of vectors"
            raise refusal(
                controller,
                function,
                f"{name} joins parts of one shape, and these are {wording.listed(shapes)}; {better}",
            )
        return jnp.stack(parts)
    if not isinstance(value, bool | int | float | jax.Array | np.ndarray):
        raise refusal(controller, function, f"{name} is {kind(value)}; write a number or an array, 0.0 to begin with")
    if isinstance(value, int) and not -(2**31) <= value < 2**31:
        raise refusal(controller, function, f"{name} is {value}, which does not fit into 32 bits; write it as a float")
    array = jnp.asarray(value)
    weak = isinstance(value, bool | int | float) or array.weak_type
    wanted = like if isinstance(like, np.dtype) else getattr(like, "dtype", None)
    becomes = _dtype(array.dtype, wanted, dtype) if weak else array.dtype
    return jax.lax.convert_element_type(array, np.int32 if becomes == np.int64 else becomes)


_WIDTH = {"b": 0, "i": 1, "u": 1, "f": 2}


def _dtype(own: np.dtype, wanted: Any, tick: np.dtype) -> np.dtype:
    """What a number without a firm dtype becomes: what it replaces, unless that would cut something off."""
    if wanted is not None and _WIDTH.get(own.kind, 3) <= _WIDTH[np.dtype(wanted).kind]:
        return np.dtype(wanted)
    return tick if own.kind == "f" else own
