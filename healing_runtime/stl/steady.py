"""The search for one sample of the signals that grants a set of wishes; deterministic, and checked by evaluation.

NumPy evaluates, as each formula is asked once: to compile every operation in it would take a hundred times longer.
Where each comparison turns is found by secants along every signal, exactly for what is linear in it. Tried are, in this
order: the sample best for the hopes signal by signal, then combinations of values on either side of the turning points.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from healing_runtime.core.signals import SignalTable
from healing_runtime.stl import atoms
from healing_runtime.stl.formula import (
    Arithmetic,
    Atom,
    Expression,
    Flag,
    Formula,
    Number,
    Predicate,
    Reference,
    references,
)
from healing_runtime.stl.formula import atoms as atoms_of

BLOCK = 512
"""So many samples are evaluated at a time: the search may end with the first of them."""
COMBINATIONS = 4 * BLOCK
PASSES = 3

Wish = tuple[Atom, bool]
Column = tuple[str, bool, int]
"""Signal, whether the sensor's, and which entry of it."""
Keys = Mapping[Atom, np.ndarray]


def search(
    formula: Formula, hopes: Sequence[Wish], granted: Callable[[Keys], np.ndarray], table: SignalTable | None = None
) -> dict[Column, float] | None:
    """A sample for which every atom of the formula is valid and `granted` is true in both number formats, or None.

    Args:
        formula: whose signals the sample is of.
        hopes: what would help, atom by atom; only the order of the search depends on it.
        granted: keys of the atoms over some samples -> whether each grants all wishes.
        table: where the signals have limits.
    """
    columns = tuple(dict.fromkeys(c for reference in references(formula) for c in _columns(reference)))
    known = tuple(dict.fromkeys(atoms_of(formula)))
    if not columns:
        columns = (("", False, 0),)  # constants alone: one sample of nothing

    def passes(block: np.ndarray, dtype: Any) -> np.ndarray:
        keys = _keys(known, columns, block.astype(dtype))
        valid = np.logical_and.reduce([~np.isnan(key) for key in keys.values()])
        return valid & granted(keys)

    choices = _choices(known, columns, table)
    for samples in _candidates(known, columns, choices, hopes):
        for block in _blocks(samples):
            found = passes(block, np.float32)
            if found.any():
                with jax.enable_x64(True):  # for what JAX computes of numbers alone, see `atoms.value`
                    found &= passes(block, np.float64)
            if found.any():
                return dict(zip(columns, block[np.argmax(found)].tolist(), strict=True))
    return None


def _columns(reference: Reference) -> Iterator[Column]:
    entries = range(reference.size or 1) if reference.index is None else (reference.index,)
    return ((reference.signal, reference.observed, entry) for entry in entries)


def _blocks(samples: np.ndarray) -> Iterator[np.ndarray]:
    return (samples[start : start + BLOCK] for start in range(0, len(samples), BLOCK))


def _keys(known: Sequence[Atom], columns: Sequence[Column], block: np.ndarray) -> dict[Atom, np.ndarray]:
    """Keys of the atoms over some samples, in their dtype."""
    at = {column: i for i, column in enumerate(columns)}

    def read(reference: Reference) -> Any:
        found = [block[:, at[column]] for column in _columns(reference)]
        return np.stack(found, -1) if reference.size else found[0]

    like: Any = np.zeros(len(block), block.dtype)
    with np.errstate(all="ignore"):  # what is no number is invalid, and so is the sample
        return {atom: np.asarray(atoms.key(atom, read, like, np)) for atom in known}


# ---------------------------------------------------------------- values to choose from
def _choices(known: Sequence[Atom], columns: Sequence[Column], table: SignalTable | None) -> list[np.ndarray]:
    """For every column values on either side of each point at which a comparison may turn, within its limits."""
    turning: dict[Column, set[float]] = {column: {0.0} for column in columns}
    steps = np.vstack([np.zeros((1, len(columns))), np.eye(len(columns))])
    keys = _keys(known, columns, steps.astype(np.float32))
    for atom in known:
        if isinstance(atom, Flag):
            turning[next(_columns(atom.signal))].add(0.5)
        elif isinstance(atom, Predicate):
            numbers = {n.value for side in (atom.left, atom.right) for n in _numbers(side)}
            gap = keys[atom].astype(float)
            for column in {c for reference in references(atom) for c in _columns(reference)}:
                slope = gap[1 + columns.index(column)] - gap[0]
                turning[column] |= numbers | ({float(-gap[0] / slope)} if slope and np.isfinite(slope) else set())
    return [_around(sorted(filter(np.isfinite, turning[c])), *_limits(c, table)) for c in columns]


def _around(turning: Sequence[float], low: float, high: float) -> np.ndarray:
    points = np.unique(np.clip(turning, low, high))
    wide = max(1.0, float(points[-1] - points[0]))
    between = (points[:-1] + points[1:]) / 2
    found = np.concatenate([points, between, points[:1] - wide, points[-1:] + wide])
    return np.unique(np.clip(found, low, high))


def _limits(column: Column, table: SignalTable | None) -> tuple[float, float]:
    name, observed, _ = column
    if table is None:
        return -np.inf, np.inf
    signal = (table.observed if observed else table.true).by_name.get(name)
    return (-np.inf, np.inf) if signal is None else (signal.low, signal.high)


def _numbers(expression: Expression) -> Iterator[Number]:
    if isinstance(expression, Number):
        yield expression
    elif isinstance(expression, Arithmetic):
        for argument in expression.arguments:
            yield from _numbers(argument)


# ---------------------------------------------------------------- samples to try
def _candidates(
    known: Sequence[Atom], columns: Sequence[Column], choices: Sequence[np.ndarray], hopes: Sequence[Wish]
) -> Iterator[np.ndarray]:
    sample = np.array([values[np.argmin(np.abs(values))] for values in choices])
    for _ in range(PASSES):
        yield sample[None]
        sample = _better(known, columns, choices, hopes, sample)
    if np.prod([float(len(values)) for values in choices]) <= COMBINATIONS:
        yield np.array(list(itertools.product(*choices)))
    else:
        draw = np.random.default_rng(0)
        yield np.stack([draw.choice(values, COMBINATIONS) for values in choices], -1)


def _better(
    known: Sequence[Atom],
    columns: Sequence[Column],
    choices: Sequence[np.ndarray],
    hopes: Sequence[Wish],
    sample: np.ndarray,
) -> np.ndarray:
    """Every signal moved, on its own, to where most hopes come true; the first such value, so that ties stay put."""
    rows = np.concatenate([np.repeat(sample[None], 1 + len(values), 0) for values in choices])
    starts = np.cumsum([0, *(1 + len(values) for values in choices)])
    for column, values in enumerate(choices):
        rows[starts[column] + 1 : starts[column + 1], column] = values
    keys = _keys(known, columns, rows.astype(np.float32))
    score = np.sum([keys[atom] > 0 if wanted else keys[atom] < 0 for atom, wanted in hopes], 0)
    best = [starts[i] + np.argmax(score[starts[i] : starts[i + 1]]) for i in range(len(choices))]
    return rows[best, range(len(choices))]
