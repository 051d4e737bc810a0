"""What a monitor would have said, sample by sample, and what decided how the run ended.

Judged in JAX's default precision: float32 as in flight, float64 under `jax.enable_x64`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from healing_runtime.core.errors import UnknownSignalError
from healing_runtime.core.recording import Recording
from healing_runtime.core.records import Verdict
from healing_runtime.stl.bind import Requirement
from healing_runtime.stl.diagnosis import Decision
from healing_runtime.stl.formula import Atom, Formula, Reference, references
from healing_runtime.stl.judged import Judged, judge


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


def histories(
    requirements: Sequence[Requirement], recording: Recording, known: Mapping[Atom, np.ndarray] | None = None
) -> tuple[History, ...]:
    """Every requirement, judged as `stl.judged.judge` does; `known` holds atoms that the run itself has logged.

    Raises:
        UnknownSignalError: the recording lacks a signal.
    """
    samples_of([requirement.formula for requirement in requirements], recording)
    judged = judge(requirements, recording.signals, jnp.result_type(float), known)
    return tuple(map(_history, judged))


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


def _history(judged: Judged) -> History:
    running, final = judged.running, judged.final
    now = Verdict(*(np.append(part[:-1], end) for part, end in zip(running, final, strict=True)))
    worst = judged.worst_at if np.isfinite(judged.robustness) else None
    return History(now, final, worst, judged.violated_at, judged.decided_by, judged.violated_by)
