"""A recording, judged: the monitors of a flight, run over samples that are already there.

What a monitor cannot judge during a run (an unbounded future inside another operator) is evaluated offline. Both start
from the same values of atoms, so verdicts and their reasons never disagree.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime.core.errors import AssertionSyntaxError
from healing_runtime.core.records import Verdict
from healing_runtime.core.status import Status
from healing_runtime.stl import atoms as atom_values
from healing_runtime.stl.bind import Requirement
from healing_runtime.stl.diagnosis import Decision, Keys, diagnose, violation
from healing_runtime.stl.formula import (
    Apply,
    Atom,
    Duration,
    Flag,
    Formula,
    Number,
    Predicate,
    Reference,
    Window,
    atoms,
)
from healing_runtime.stl.offline import verdicts
from healing_runtime.stl.program import Program
from healing_runtime.stl.ticks import check_online, ticks_of


class Judged(NamedTuple):
    """What became of one requirement over a whole recording.

    Attributes:
        status, robustness: as a run that ended with the last sample would have reported them.
        violated_at: the first sample at which a monitor knows of the violation; None if there is none.
        worst_at: the first sample from which the robustness no longer changed; None for what no monitor can judge.
        decided_by: what the robustness rests on (see `diagnosis`).
        violated_by: what the violation rested on when it was first known.
        running: arrays [N], the verdict while the recording went on, latched once decided; `vacuous` where it is true
            and nothing has tested it yet. Of what no monitor can judge nothing is known until the violation is.
        final: scalars, the verdict at the end, with its bounds.
    """

    requirement: Requirement
    status: Status
    robustness: float
    violated_at: int | None
    worst_at: int | None
    decided_by: Decision | None
    violated_by: Decision | None
    running: Verdict
    final: Verdict


def judge(
    requirements: Sequence[Requirement],
    signals: Mapping[str, np.ndarray],
    dtype: Any,
    known: Mapping[Atom, np.ndarray] | None = None,
) -> tuple[Judged, ...]:
    """Judge every requirement over samples in the names that formulas use.

    Args:
        requirements: from `bind`.
        signals: name -> samples [N], or [N, components]; `observed(x)` is looked up under that key first, then as `x`.
        dtype: in which it is calculated; float64 needs `jax.enable_x64`.
        known: robustness of atoms that was calculated before, by a run; it is taken as it is.
    """
    if not requirements:
        return ()
    keys = _keys(requirements, signals, dtype, known or {})
    live = [_is_online(r.formula) for r in requirements]
    monitored = iter(_monitored([r for r, on in zip(requirements, live, strict=True) if on], keys, dtype))
    told = [next(monitored) if on else _evaluated(r, keys) for r, on in zip(requirements, live, strict=True)]
    return tuple(_explained(r, found, keys) for r, found in zip(requirements, told, strict=True))


# ---------------------------------------------------------------- atoms
def _keys(
    requirements: Sequence[Requirement],
    signals: Mapping[str, np.ndarray],
    dtype: Any,
    known: Mapping[Atom, np.ndarray],
) -> dict[Atom, np.ndarray]:
    like = jnp.zeros(len(next(iter(signals.values()))), dtype)
    arrays = {name: jnp.asarray(samples, dtype) for name, samples in signals.items()}

    def read(reference: Reference) -> jax.Array:
        name = f"observed({reference.signal})"
        found = arrays[name if reference.observed and name in arrays else reference.signal]
        return found if reference.index is None else found.reshape(len(found), -1)[:, reference.index]

    keys = {}
    for atom in dict.fromkeys(a for r in requirements for a in atoms(r.formula)):
        if atom in known:
            keys[atom] = _key_of(atom, known[atom].astype(dtype))
        else:
            keys[atom] = np.asarray(atom_values.key(atom, read, like))
    return keys


def _key_of(atom: Atom, robustness: np.ndarray) -> np.ndarray:
    """Key of a robustness: where it is zero, the comparison decides."""
    tiny = np.finfo(robustness.dtype).tiny
    strict = isinstance(atom, Predicate) and atom.relation in ("<", ">")
    return np.where(robustness == 0, -tiny if strict else tiny, robustness)


def _over_keys(part: Formula, numbers: Mapping[Atom, int]) -> Formula:
    """The formula over atoms that are signals themselves, `<number> > 0`; windows in ticks alone."""
    if isinstance(part, Apply):
        window, ticks = None, ticks_of(part)
        if ticks is not None:
            low, high = (Duration(Fraction(tick), in_ticks=True) for tick in ticks)
            window = Window(low, high, ticks)
        arguments = tuple(_over_keys(argument, numbers) for argument in part.arguments)
        return dataclasses.replace(part, arguments=arguments, window=window)
    if isinstance(part, Predicate | Flag):
        return Predicate(">", Reference(str(numbers[part])), Number(0.0))
    return part


# ---------------------------------------------------------------- verdicts
class _Told(NamedTuple):
    """`known_at` is the first sample at which the violation is known while the run goes on; None if the end tells."""

    status: Status
    rho: float
    known_at: int | None
    worst_at: int | None
    running: Verdict
    final: Verdict


def _is_online(formula: Formula) -> bool:
    try:
        check_online(formula)
    except AssertionSyntaxError:
        return False
    return True


def _monitored(requirements: Sequence[Requirement], keys: Keys, dtype: Any) -> list[_Told]:
    """The monitors' verdicts, as `loop.rollout.final_verdicts` reads them off a run."""
    if not requirements:
        return []
    numbers = {atom: i for i, atom in enumerate(keys)}
    program = Program([_over_keys(r.formula, numbers) for r in requirements])

    def step(state: Any, row: jax.Array) -> tuple[Any, Any]:
        state, out = program.update(state, lambda r: row[int(r.signal)], jnp.zeros((), dtype))
        return state, (out.now, out.ended)

    rows = jnp.stack([jnp.asarray(key) for key in keys.values()], axis=-1)
    _, history = jax.jit(lambda x: jax.lax.scan(step, program.init(dtype), x))(rows)
    history = jax.tree.map(np.asarray, history)
    return [_final(*(Verdict(*(part[:, i] for part in side)) for side in history)) for i in range(len(requirements))]


def _final(running: Verdict, ended: Verdict) -> _Told:
    violated = np.flatnonzero(np.isin(running.status, (Status.FALSE, Status.INVALID)))
    final = Verdict(*(part[-1] for part in (running if violated.size else ended)))
    same = (ended.rho == ended.rho[-1]) | (np.isnan(ended.rho) & np.isnan(ended.rho[-1]))
    changed = np.flatnonzero(~same)
    unasked = (running.status == Status.TRUE) & (ended.status == Status.VACUOUS)
    running = running._replace(status=np.where(unasked, int(Status.VACUOUS), running.status))
    return _Told(
        Status(int(final.status)),
        float(final.rho),
        int(violated[0]) if violated.size else None,
        int(changed[-1]) + 1 if changed.size else 0,
        running,
        final,
    )


def _evaluated(requirement: Requirement, keys: Keys) -> _Told:
    """The verdict of what no monitor can judge; when a violation is known is found by halving."""
    own = {atom: keys[atom] for atom in dict.fromkeys(atoms(requirement.formula))}
    formula = _over_keys(requirement.formula, {atom: i for i, atom in enumerate(own)})
    found = verdicts(formula, {str(i): key for i, key in enumerate(own.values())}, 1.0)
    final = Verdict(*(np.asarray(part)[0] for part in found))
    status, known_at = Status(int(final.status)), _known_at(requirement, own, Status(int(final.status)))
    return _Told(status, float(final.rho), known_at, None, _running(final, known_at, len(found.status)), final)


def _known_at(requirement: Requirement, own: Keys, status: Status) -> int | None:
    if status is Status.INVALID:
        return int(np.argmax(functools.reduce(np.logical_or, map(np.isnan, own.values()))))
    low, high = 1, len(next(iter(own.values())))
    if status is not Status.FALSE or violation(requirement.formula, own, high) is None:
        return None
    while low < high:
        middle = (low + high) // 2
        known = violation(requirement.formula, own, middle) is not None
        low, high = (low, middle) if known else (middle + 1, high)
    return low - 1


def _running(final: Verdict, known_at: int | None, count: int) -> Verdict:
    """Nothing is known until the violation is, and then it stays."""
    unknown = (int(Status.UNKNOWN), np.nan, -np.inf, np.inf)
    after = np.arange(count) >= (count if known_at is None else known_at)
    return Verdict(*(np.where(after, end, before) for end, before in zip(final, unknown, strict=True)))


# ---------------------------------------------------------------- reasons
def _explained(requirement: Requirement, told: _Told, keys: Keys) -> Judged:
    formula, (status, rho, known_at, worst_at, *history) = requirement.formula, told
    own = {atom: keys[atom] for atom in dict.fromkeys(atoms(formula))}
    decided = diagnose(formula, own, status)
    if not status.violated:
        return Judged(requirement, status, rho, None, worst_at, decided, None, *history)
    if known_at is None:  # only the end tells
        last = len(next(iter(own.values()))) - 1
        return Judged(requirement, status, rho, last, worst_at, decided, decided, *history)
    first = decided if status is Status.INVALID else violation(formula, own, known_at + 1)
    return Judged(requirement, status, rho, known_at, worst_at, decided, first, *history)
