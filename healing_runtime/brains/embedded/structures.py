"""The structures that are searched for one request, cheap ones first."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from healing_runtime.brains.embedded import identify
from healing_runtime.brains.embedded.compiling import once
from healing_runtime.brains.embedded.families import FAMILIES, Brief, Family
from healing_runtime.brains.embedded.rollout import Draws
from healing_runtime.brains.embedded.task import Task
from healing_runtime.brains.embedded.tuning import Structure, structure_of
from healing_runtime.core.records import RepairRequest
from healing_runtime.language import source
from healing_runtime.language.source import Parsed

# How long the twin stands on the test stand: longer than actuators lag, shorter than a body tips over.
BENCH_S = 0.35
BENCH_TICKS = 16


class Plan(NamedTuple):
    """A structure that is made when it is its turn; `make` answers None where the robot turns out not to fit."""

    name: str
    make: Callable[[], Structure | None]


def plans(request: RepairRequest, task: Task, draws: Callable[[], Draws]) -> tuple[Plan, ...]:
    """The original's own numbers, then every family that fits the robot. Nothing is measured or compiled yet."""
    own = structure_of("parameters", task.parsed, "parameters", "the controller's own structure with other numbers")
    brief = once(lambda: brief_of(request, task, draws()))

    def family_plan(family: Family) -> Plan:
        def make() -> Structure | None:
            told = brief()
            if told is None:
                return None
            draft = family.design(told)
            parsed = source.parse(draft.text, name=request.controller, path=request.controller)
            return structure_of(family.name, parsed, "file", draft.summary, draft.tuned)

        return Plan(family.name, make)

    first = (Plan(own.name, lambda: own),) if own.space.size else ()
    if any("state" in names or "next_state" in names for _, names in _contract(task.parsed)):
        # The contract watches the memory of the original, and a structure of another kind has another memory.
        return first
    return (*first, *(family_plan(family) for family in FAMILIES if family.fits(task.table)))


def brief_of(request: RepairRequest, task: Task, draws: Draws) -> Brief | None:
    """Measure the robot on its twin; None where it cannot hover."""
    dt_s = 1.0 / task.control_hz
    ticks = max(BENCH_TICKS, math.ceil(BENCH_S / dt_s))
    bench = identify.Bench(task.twin, draws.nominal, task.table, ticks)
    effect = identify.identify(bench, dt_s)
    known = identify.axes(task.table.observed)
    if effect is None or known.height is None:
        return None
    column = task.table.observed.slices[known.height.name].start
    height = float(bench.observe(np.full((1, task.table.action.size), effect.trim))[0, 0, column])
    return Brief(
        table=task.table,
        effect=effect,
        dt_s=dt_s,
        duration_s=task.ticks * dt_s,
        height_m=max(height, 1e-3),
        title=f"Written in place of {_plain(request.controller)}, which broke {_plain(request.assertion)}.",
        asserts=contract_lines(task.parsed),
    )


def contract_lines(parsed: Parsed) -> tuple[str, ...]:
    """The contract asserts as written, to be repeated in whatever takes the place of the source.

    One that names PARAMS of the original cannot be repeated over other PARAMS; the runtime carries it over.
    """
    kept = (node for node, names in _contract(parsed) if "params" not in names)
    texts = (ast.get_source_segment(parsed.source.text, node) for node in kept)
    return tuple(text for text in texts if text is not None)


def _contract(parsed: Parsed) -> list[tuple[ast.Assert, frozenset[str]]]:
    """The contract asserts in the order of their lines, and the names that each uses."""
    lines = {statement.line for statement in parsed.contract}
    found = [n for n in ast.walk(parsed.tree) if isinstance(n, ast.Assert) and n.lineno in lines]
    found.sort(key=lambda node: node.lineno)
    return [(node, frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))) for node in found]


def _plain(name: str) -> str:
    """A name that can stand in a docstring, whatever a file was called."""
    return re.sub(r"[^A-Za-z0-9_/.-]", "_", name)
