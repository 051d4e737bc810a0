"""What a monitor would have said, sample by sample, and what decided how the run ended: the online machines again.

Judged in JAX's default precision: float32 as in flight, float64 under `jax.enable_x64`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime import stl
from healing_runtime.core.errors import AssertionSyntaxError, UnknownSignalError
from healing_runtime.core.recording import Recording
from healing_runtime.core.records import Verdict
from healing_runtime.core.status import Status
from healing_runtime.stl import atoms
from healing_runtime.stl.bind import Requirement
from healing_runtime.stl.diagnosis import Decision, diagnose
from healing_runtime.stl.formula import Atom, Formula, Reference, references
from healing_runtime.stl.formula import atoms as atoms_of
from healing_runtime.stl.ticks import check_online


@dataclasses.dataclass(frozen=True)
class History:
    """One requirement over one recording, in SI.

    Attributes:
        now: arrays [N], the verdict while the run went on, latched once decided; the last one is that of the whole run.
            What was decided without being asked for is `vacuous`.
        final: scalars, the verdict of the whole run (`vacuous` is known only here).
        worst: sample from which the robustness of the whole run no longer changed; None if it is infinite or invalid.
        violation: first sample at which the verdict was false or invalid; None if it never was.
        decision: the atom and the sample on which the verdict rests; None if there is none to name.
        cause: what the violation rested on when it was first known.
    """

    now: Verdict
    final: Verdict
    worst: int | None
    violation: int | None
    decision: Decision | None
    cause: Decision | None


def histories(requirements: Sequence[Requirement], recording: Recording) -> tuple[History, ...]:
    """Every requirement, judged from the first sample on; one compiled program for all that can be judged in a run.

    Raises:
        UnknownSignalError: the recording lacks a signal.
    """
    samples = samples_of([requirement.formula for requirement in requirements], recording)
    live = [requirement.formula for requirement in requirements if _is_online(requirement.formula)]
    told = dict(zip(live, _monitored(live, samples, recording), strict=True))
    return tuple(
        _history(formula, *(told[formula] if formula in told else _evaluated(formula, samples, recording)), recording)
        for formula in (requirement.formula for requirement in requirements)
    )


def samples_of(formulas: Iterable[Formula], recording: Recording) -> dict[str, jax.Array]:
    """The signals that the formulas read, under the names the evaluation looks for; time itself if they read none.

    Raises:
        UnknownSignalError: the recording lacks one.
    """
    names = {name_in(recording, reference) for formula in formulas for reference in references(formula)}
    found = {name: jnp.asarray(recording.signals[name], jnp.result_type(float)) for name in sorted(names)}
    return found or {"t_s": jnp.asarray(recording.t_s, jnp.result_type(float))}


def name_in(recording: Recording, reference: Reference) -> str:
    """The name under which the recording holds a signal; what was not measured apart is the signal itself.

    Raises:
        UnknownSignalError: the recording lacks it.
    """
    said = f"observed({reference.signal})"
    name = said if reference.observed and said in recording.signals else reference.signal
    if name not in recording.signals:
        known = ", ".join(sorted(recording.signals)) or "none"
        raise UnknownSignalError(f"{recording.name} has no signal '{name}'; it has {known}.")
    return name


def column(recording: Recording, reference: Reference) -> jax.Array:
    """Samples of a signal, or of one of its components, in the precision in which they are judged."""
    values = jnp.asarray(recording.signals[name_in(recording, reference)], jnp.result_type(float))
    return values if reference.index is None else values.reshape(len(recording), -1)[:, reference.index]


def _is_online(formula: Formula) -> bool:
    try:
        check_online(formula)
    except AssertionSyntaxError:
        return False
    return True


def _monitored(
    formulas: Sequence[Formula], samples: Mapping[str, jax.Array], recording: Recording
) -> list[tuple[Verdict, Verdict]]:
    """While the run went on, and if it had ended, at every sample."""
    monitors = [stl.online(formula, recording.dt_s, jnp.result_type(float)) for formula in formulas]

    def tick(states: tuple[Any, ...], sample: Mapping[str, Any]) -> tuple[tuple[Any, ...], Any]:
        stepped = [monitor.update(state, sample) for monitor, state in zip(monitors, states, strict=True)]
        after = tuple(state for state, _ in stepped)
        ended = [monitor.ended(state) for monitor, state in zip(monitors, after, strict=True)]
        return after, [(now, end) for (_, now), end in zip(stepped, ended, strict=True)]

    start = tuple(monitor.init() for monitor in monitors)
    _, outcomes = jax.jit(lambda xs: jax.lax.scan(tick, start, xs))(samples)
    return jax.tree.map(np.asarray, outcomes)


def _evaluated(
    formula: Formula, samples: Mapping[str, jax.Array], recording: Recording
) -> tuple[Verdict, Verdict]:
    """Of what no monitor can judge nothing is known before the end."""
    end = Verdict(*(np.asarray(part)[:1] for part in stl.verdicts(formula, samples, recording.dt_s)))
    n = len(recording)
    unknown = (np.full(n, int(Status.UNKNOWN)), np.full(n, np.nan), np.full(n, -np.inf), np.full(n, np.inf))
    return Verdict(*unknown), Verdict(*(np.append(part[1:], last) for part, last in zip(unknown, end, strict=True)))


def _history(formula: Formula, now: Verdict, ended: Verdict, recording: Recording) -> History:
    final = Verdict(*(part[-1] for part in ended))
    status = Status(int(final.status))
    violated = np.isin(now.status, [int(Status.FALSE), int(Status.INVALID)])
    violated[-1] |= status.violated
    now = Verdict(*(np.append(part[:-1], end) for part, end in zip(now, final, strict=True)))
    unasked = (now.status == int(Status.TRUE)) & (ended.status == int(Status.VACUOUS))
    now = now._replace(status=np.where(unasked, int(Status.VACUOUS), now.status))
    worst = int(np.append(np.flatnonzero(ended.rho != final.rho) + 1, 0).max()) if np.isfinite(final.rho) else None
    violation = int(np.argmax(violated)) if violated.any() else None
    keys = _keys(formula, recording)
    decision = diagnose(formula, keys, status)
    cause = decision
    if violation is not None and violation < len(recording) - 1:
        seen = {atom: key[: violation + 1] for atom, key in keys.items()}
        cause = diagnose(formula, seen, Status(int(now.status[violation])), end="running")
    return History(now, final, worst, violation, decision, cause if violation is not None else None)


def _keys(formula: Formula, recording: Recording) -> dict[Atom, np.ndarray]:
    like = jnp.zeros(len(recording), jnp.result_type(float))
    found = dict.fromkeys(atoms_of(formula))
    return {atom: np.asarray(atoms.key(atom, lambda reference: column(recording, reference), like)) for atom in found}
