"""What a monitor would have said, sample by sample, and how the run ended: the online machines over a recording."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime import stl
from healing_runtime.core.errors import UnknownSignalError
from healing_runtime.core.recording import Recording
from healing_runtime.core.records import Verdict
from healing_runtime.core.status import Status
from healing_runtime.stl.bind import Requirement
from healing_runtime.stl.formula import Formula, Reference, references


@dataclasses.dataclass(frozen=True)
class History:
    """One requirement over one recording, in SI.

    Attributes:
        now: arrays [N], the verdict while the run went on; latched once decided.
        final: scalars, the verdict of the whole run (`vacuous` is known only here).
        worst: sample from which the robustness of the whole run no longer changed; None if it is infinite or invalid.
        violation: first sample at which the verdict was false or invalid; None if it never was.
    """

    now: Verdict
    final: Verdict
    worst: int | None
    violation: int | None


def histories(requirements: Sequence[Requirement], recording: Recording) -> tuple[History, ...]:
    """Every requirement, judged from the first sample on; one compiled program for all.

    Raises:
        UnknownSignalError: the recording lacks a signal.
    """
    monitors = [stl.online(requirement.formula, recording.dt_s) for requirement in requirements]
    samples = samples_of([requirement.formula for requirement in requirements], recording)

    def tick(states: tuple[Any, ...], sample: Mapping[str, Any]) -> tuple[tuple[Any, ...], Any]:
        stepped = [monitor.update(state, sample) for monitor, state in zip(monitors, states, strict=True)]
        after = tuple(state for state, _ in stepped)
        ended = [monitor.ended(state) for monitor, state in zip(monitors, after, strict=True)]
        return after, [(now, end) for (_, now), end in zip(stepped, ended, strict=True)]

    start = tuple(monitor.init() for monitor in monitors)
    _, outcomes = jax.jit(lambda xs: jax.lax.scan(tick, start, xs, length=len(recording)))(samples)
    return tuple(_history(now, ended) for now, ended in jax.tree.map(np.asarray, outcomes))


def samples_of(formulas: Iterable[Formula], recording: Recording) -> dict[str, jax.Array]:
    """The signals that the formulas read, under the names the evaluation looks for.

    Raises:
        UnknownSignalError: the recording lacks one.
    """
    found: dict[str, jax.Array] = {}
    for formula in formulas:
        for reference in references(formula):
            name = name_in(recording, reference)
            found[name] = jnp.asarray(recording.signals[name], jnp.float32)
    return found


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


def _history(now: Verdict, ended: Verdict) -> History:
    final = Verdict(*(part[-1] for part in ended))
    violated = np.isin(now.status, [int(Status.FALSE), int(Status.INVALID)])
    if Status(int(final.status)).violated:
        violated[-1] = True
    # The last sample is judged as the end of the run.
    now = Verdict(*(np.append(part[:-1], end) for part, end in zip(now, final, strict=True)))
    same = ended.rho == final.rho
    worst = int(np.append(np.flatnonzero(~same) + 1, 0).max()) if np.isfinite(final.rho) else None
    return History(now, final, worst, int(np.argmax(violated)) if violated.any() else None)
