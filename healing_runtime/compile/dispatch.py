"""In which thread a program runs."""

from __future__ import annotations

import jax


def in_calling_thread() -> None:
    """Let JAX's CPU backend run programs in the thread that calls them; heard only before that backend starts.

    By default it hands a program of more than 1,000 operations (XLA's count) to another thread, which costs 10 to 40 µs
    a tick on two shared cores, where the tick itself takes 4 (jaxlib 0.10.2).
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)
