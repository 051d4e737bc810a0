"""Where a program runs: device and thread. The device is a setting; whoever asks JAX for devices does so here.

Asking starts JAX's backends, and from then on they no longer hear in which thread they are to run programs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from healing_runtime.core.errors import InputError

DEVICES = ("cpu", "cuda", "tpu")
"""Kinds of devices, as JAX names its platforms when it lowers for them."""


def device_of(kind: str) -> Any:
    """The first device of a kind.

    Raises:
        InputError: there is no such kind, or none of it here; the message names those that are.
    """
    found = here(checked(kind))
    if not found:
        there = ", ".join(name for name in DEVICES if here(name))
        raise InputError(f"there is no device '{kind}' here; there is: {there or 'none'}.")
    return found[0]


def checked(kind: str) -> str:
    """The kind itself, if programs can be lowered for it, be there such a device here or not; else InputError."""
    if kind not in DEVICES:
        raise InputError(f"'{kind}' is no device; give {', '.join(DEVICES[:-1])} or {DEVICES[-1]}.")
    return kind


def here(kind: str) -> Sequence[Any]:
    """Devices of a kind in this machine."""
    run_in_calling_thread()
    try:
        return jax.devices(kind)
    except RuntimeError:  # JAX has no backend of that name here
        return ()


def default() -> Sequence[Any]:
    """Devices of the kind that JAX prefers here (`JAX_PLATFORMS`); a run's programs are on the first."""
    run_in_calling_thread()
    return jax.devices()


def run_in_calling_thread() -> None:
    """Let JAX's CPU backend run programs in the thread that calls them, everywhere in this process.

    Heard only before that backend starts.

    By default it hands a program of more than 1,000 operations (XLA's count) to another thread, which costs 10 to 40 µs
    a tick on two shared cores, where the tick itself takes 4 (jaxlib 0.10.2).
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)
