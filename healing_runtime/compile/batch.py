"""Batches: many lanes of one controller in one call, for a fixed number of lanes.

Every lane has its own memory, its own monitors and its own asserts; parameters are shared. An exported call cannot be
batched, so the lanes are drawn over the harvested controller before it is lowered. A batch agrees with single runs
within the rounding that XLA's other order of operations brings, and with itself bit for bit; flights that carry a
verdict are single.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from healing_runtime.compile import portable, programs
from healing_runtime.compile import tick as ticks
from healing_runtime.compile.devices import checked, run_in_calling_thread
from healing_runtime.compile.export import flatten
from healing_runtime.compile.portable import Portable
from healing_runtime.compile.vectors import Vectors
from healing_runtime.core.errors import InputError
from healing_runtime.language.trace import Traced

MAX_LANES = 4096


def export_lanes(
    traced: Traced,
    requirements: Sequence[Any],
    control_hz: int,
    lanes: int,
    platform: str = "cpu",
    original: Traced | None = None,
) -> Portable:
    """The tick of `portable.export_tick` over (lanes, …) vectors: memory, sample and packed; `params` is shared.

    Branches of a lane that it does not take leave its asserts vacuous, whatever the other lanes take; what is not
    finite in one lane stays in it.

    Raises:
        InputError: the number of lanes is out of range, or there is no such kind of device.
        SubsetError: the re-check refuses something.
    """
    if isinstance(lanes, bool) or not isinstance(lanes, int) or not 1 <= lanes <= MAX_LANES:
        raise InputError(f"a batch has 1 to {MAX_LANES} lanes, a whole number, not {lanes!r}.")
    run_in_calling_thread()  # exporting starts the backend, and what is exported may be compiled in this process next
    step, controller, params, state = flatten(traced, original, control_hz)
    composed = ticks.compose(step, controller, requirements, traced.table, control_hz)
    single = programs.first_carry(state, composed)
    carry = Vectors(*(np.tile(part, (lanes, 1)) for part in single))
    function = jax.vmap(composed.function, in_axes=(None, 0, 0))
    return portable.lowered(function, function, composed.interface, params, carry, checked(platform))
