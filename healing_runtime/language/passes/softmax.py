"""The sum of a softmax: where `exp(x - max(x))` is summed over the axes of the maximum, one term is 1."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from jax.extend.core import JaxprEqn

from healing_runtime.language.passes.numbers import Number

VIEWS = frozenset({"broadcast_in_dim", "reshape", "squeeze"})
"""Primitives that show the same elements in another shape."""


class _Stage(Enum):
    MAXIMUM = auto()
    SHIFTED = auto()
    EXPONENTIAL = auto()


class _Step(NamedTuple):
    """How far a value has come towards a softmax: of what, and over which axes."""

    stage: _Stage
    of: Number
    axes: tuple[int, ...]


class Softmax:
    """Follows values from `max(x)` over `x - max(x)` to `exp(x - max(x))`, by their numbers."""

    def __init__(self) -> None:
        self._steps: dict[Number, _Step] = {}

    def note(self, eqn: JaxprEqn, operands: list[Number], number: Number) -> None:
        """What an equation makes of what is known."""
        name = eqn.primitive.name
        if name == "reduce_max":
            self._steps[number] = _Step(_Stage.MAXIMUM, operands[0], tuple(eqn.params["axes"]))
        elif name in VIEWS and (step := self._at(operands[0], _Stage.MAXIMUM)):
            self._steps[number] = step
        elif name == "sub" and (step := self._at(operands[1], _Stage.MAXIMUM)) and step.of == operands[0]:
            self._steps[number] = step._replace(stage=_Stage.SHIFTED)
        elif name == "exp" and (step := self._at(operands[0], _Stage.SHIFTED)):
            self._steps[number] = step._replace(stage=_Stage.EXPONENTIAL)

    def is_summed(self, eqn: JaxprEqn, operands: list[Number]) -> bool:
        """Whether an equation sums exponentials over their maximum's axes, and so gives 1 at least."""
        step = self._at(operands[0], _Stage.EXPONENTIAL) if eqn.primitive.name == "reduce_sum" else None
        return step is not None and set(step.axes) <= set(eqn.params["axes"])

    def _at(self, number: Number, stage: _Stage) -> _Step | None:
        step = self._steps.get(number)
        return step if step and step.stage is stage else None
