"""The other tools that judge temporal logic, and compiled evaluation of our own, as the benchmarks call them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import reelay
import rtamt


def data(samples: int) -> dict[str, np.ndarray]:
    """Two signals of noise, the same every time."""
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=samples).astype(np.float32) for name in "xy"}


def rtamt_specification(kind: str, text: str, *, pastify: bool = False) -> Any:
    """A parsed specification over `x` and `y`; kind is `Online` or `Offline`."""
    logging.getLogger().setLevel(logging.ERROR)
    specification = getattr(rtamt, f"StlDiscreteTime{kind}Specification")()
    names = [name for name in "xy" if f"{name} " in text]
    for name in names:
        specification.declare_var(name, "float")
    specification.spec = text
    specification.parse()
    if pastify:
        specification.pastify()
    return specification


def rtamt_online(specification: Any, names: str, given: dict[str, np.ndarray], samples: int) -> list[float]:
    """The value at each of the first samples."""
    return [
        specification.update(t, [(name, float(given[name][t])) for name in names])  #
        for t in range(samples)
    ]


def reelay_monitor(text: str) -> Any:
    """A fresh monitor."""
    return reelay.discrete_timed_monitor(pattern=text, semantics="robustness", condense=False)


def reelay_online(monitor: Any, given: dict[str, np.ndarray], samples: int) -> list[float]:
    """The value at each of the first samples."""
    return [monitor.update({name: float(given[name][t]) for name in "xy"})["value"] for t in range(samples)]


def compiled(call: Callable[..., Any], *arguments: Any) -> tuple[Callable[[], Any], float]:
    """The call as an executable that waits for its result, and the seconds that compiling took."""
    start = time.perf_counter()
    executable = jax.jit(call).lower(*arguments).compile()
    seconds = time.perf_counter() - start
    return lambda: jax.block_until_ready(executable(*arguments)), seconds
