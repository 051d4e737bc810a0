"""What judging a formula costs during a run: how long it stays undecided, what it remembers, what one tick takes.

Everything is read off shapes: nothing runs, nothing as large as a window is allocated, and no figure depends on data.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from healing_runtime.stl import ticks
from healing_runtime.stl.formula import Apply, Formula, references
from healing_runtime.stl.program import MonitorOut, MonitorState, Program
from healing_runtime.stl.windows import RING_ALONE

_FREE = {"broadcast_in_dim", "reshape", "squeeze", "convert_element_type", "copy", "iota"}
"""Primitives that only change a shape or a type, or stand for a constant."""
_VARYING = {"cond", "while"}


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one formula costs.

    Attributes:
        horizon_ticks: how long a start can stay undecided; None if only the end of the run decides.
        memory_bytes: size of the monitor's state in float32, as a batch of runs holds it (the tick's is no larger).
        steps_per_tick: scalar operations of one update in the tick, see `steps`. The same in every tick: an update has
            no branches.
    """

    horizon_ticks: int | None
    memory_bytes: int
    steps_per_tick: int


def cost(formula: Formula) -> Cost:
    """Of a formula in ticks within the online fragment; what it shares with others is counted as if it were alone."""
    return Cost(horizon(formula), memory_bytes(Program([formula])), steps(Program([formula], ring_up_to=RING_ALONE)))


def horizon(formula: Formula) -> int | None:
    """Of a promise about every start, the horizon of what is promised."""
    if isinstance(formula, Apply) and formula.operator == "always" and formula.window is None:
        formula = formula.arguments[0]
    return ticks.horizon(formula)


def memory_bytes(program: Program) -> int:
    """Size of a program's state in float32."""
    state = jax.eval_shape(lambda: program.init(jnp.float32))
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))


def steps(program: Program) -> int:
    """Scalar operations of one update, counted from its trace.

    The compiler fuses some and drops others, so this is a bound that compares formulas; it is no time.
    """
    read = tuple(dict.fromkeys(reference for atom in program.atoms for reference in references(atom)))
    shapes = [jax.ShapeDtypeStruct((r.size,) if r.size else (), jnp.float32) for r in read]

    def update(state: MonitorState, values: Sequence[Array]) -> tuple[MonitorState, MonitorOut]:
        by_reference = dict(zip(read, values, strict=True))
        return program.update(state, by_reference.__getitem__, jnp.zeros((), jnp.float32))

    state = jax.eval_shape(lambda: program.init(jnp.float32))
    return operations(jax.make_jaxpr(update)(state, shapes).jaxpr)


def operations(jaxpr: Any) -> int:
    """Scalar operations of a trace whose loops have a fixed length.

    A primitive counts the elements it writes, a reduction those it reads, and a write into a ring those it changes.
    What only changes a shape or a type counts nothing, and a scan counts its body once a step.

    Raises:
        NotImplementedError: there is a branch, or a loop whose length is not fixed.
    """
    return sum(map(_count, jaxpr.eqns))


def _count(equation: Any) -> int:
    name = equation.primitive.name
    if name in _VARYING:
        raise NotImplementedError(f"'{name}' in a monitor's update: what it costs may depend on data")
    inner = list(_inside(equation))
    if inner:
        return equation.params.get("length", 1) * sum(map(operations, inner))
    if name in _FREE:
        return 0
    if name == "dynamic_update_slice":
        return _size(equation.invars[1])
    over = equation.invars if name.startswith("reduce_") else equation.outvars
    return max(map(_size, over))


def _inside(equation: Any) -> Iterator[Any]:
    for value in equation.params.values():
        inner = getattr(value, "jaxpr", value)
        if hasattr(inner, "eqns"):
            yield inner


def _size(variable: Any) -> int:
    return math.prod(variable.aval.shape)
