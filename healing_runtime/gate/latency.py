"""How long a tick takes in a worker: measured for the record. It selects nothing and no digest holds it."""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from healing_runtime.compile.programs import Program
from healing_runtime.core.records import Trace

UNTIMED = 8
"""First ticks that are not counted: caches are cold."""
MOST = 512
"""Ticks that are timed of a long flight."""


@dataclasses.dataclass(frozen=True)
class Latency:
    """Seconds from a sample to its command, over so many ticks: the median, the 99th percentile and the longest.

    The worker shares the machine with others, so the longest says little about a real-time loop.
    """

    ticks: int
    p50_s: float
    p99_s: float
    max_s: float


def measure(program: Program, trace: Trace) -> Latency:
    """Tick a program over the samples of a flight again, by itself."""
    dtype = np.dtype(program.interface.controller.dtype)
    samples = list(np.concatenate((trace.observed[:MOST], trace.true[:MOST]), axis=1).astype(dtype))
    memory, took = program.start().joined(), []
    for sample in [*samples[:UNTIMED], *samples]:
        start = time.perf_counter()
        memory, packed = program.tick(program.params, memory, sample)
        np.asarray(packed)
        took.append(time.perf_counter() - start)
    counted = np.asarray(took[min(UNTIMED, len(samples)) :])
    p50, p99, longest = (float(f"{v:.4g}") for v in np.quantile(counted, (0.5, 0.99, 1.0)))
    return Latency(len(counted), p50, p99, longest)
