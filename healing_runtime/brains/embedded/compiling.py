"""Compiling for a search: quickly, on as many threads as there are cores, and each program once."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
import numpy as np

T = TypeVar("T")

LANES = 192
"""Flights that one program flies side by side. It is fixed, so that results do not depend on the number of cores."""

# A search compiles more than it runs. Measured on jaxlib 0.10 for a quadrotor's closed loop, CPU seconds to compile it
# and for a block of flights: by default 1.7 and 0.03, OFTEN 0.8 and 0.04, RARELY 0.3 and 0.2.
OFTEN: Mapping[str, Any] = {
    "xla_backend_optimization_level": 1,
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
}
RARELY: Mapping[str, Any] = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}


def compiled(function: Callable[..., Any], *shapes: Any, options: Mapping[str, Any] = OFTEN) -> Callable[..., Any]:
    """A function compiled ahead of time for arguments like `shapes` (arrays or anything with shape and dtype)."""
    return jax.jit(function).lower(*shapes).compile(compiler_options=dict(options))


def like(tree: Any, *axes: int) -> Any:
    """The shapes of a tree's leaves behind `axes` more axes."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((*axes, *np.shape(leaf)), np.asarray(leaf).dtype), tree)


def once(make: Callable[[], T]) -> Callable[[], T]:
    """The same object for every thread that asks; the first one makes it, the others wait for it."""
    lock, cached = threading.Lock(), functools.cache(make)

    def get() -> T:
        with lock:
            return cached()

    return get
