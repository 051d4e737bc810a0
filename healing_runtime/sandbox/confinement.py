"""What a worker gives up before it touches its job.

Applied right after the fork, while the process has one thread. The steps are a tuple so that further ones (system-call
and file-system filters) join as entries; each returns the word under which `describe` reports it.
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
from collections.abc import Callable

from healing_runtime.sandbox.messages import Limits

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_LIBC = ctypes.CDLL(None, use_errno=True)

Step = Callable[[Limits], str]


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}): {os.strerror(code)}")


def die_with_parent(parent: int) -> None:
    """Be killed when the thread that spawned this process ends; exit at once if `parent` is already gone."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of any grandchild whose own parent dies, so that it can be found and killed."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def no_new_privileges(limits: Limits) -> str:
    """No setuid program can raise this process."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    return "no_new_privs"


def not_dumpable(limits: Limits) -> str:
    """No core file, and no other process of the same user may attach or read the memory."""
    _prctl(_PR_SET_DUMPABLE, 0)
    return "not_dumpable"


def resource_limits(limits: Limits) -> str:
    """Address space, CPU time, file size, descriptors, no core file."""
    cpu_s = max(1, math.ceil(limits.cpu_s))
    for kind, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_AS, limits.memory_bytes, limits.memory_bytes),
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 1),
        (resource.RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files, limits.open_files),
    ):
        ceiling = resource.getrlimit(kind)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(kind, (soft, hard))
    return "rlimits"


STEPS: tuple[Step, ...] = (no_new_privileges, not_dumpable, resource_limits)


def confine(limits: Limits) -> tuple[str, ...]:
    """Apply every step to this process; the words achieved. OSError if one cannot be had."""
    return tuple(step(limits) for step in STEPS)


def describe(words: tuple[str, ...]) -> str:
    """The level as `doctor` and evidence records state it."""
    return "+".join(("process", "clean_env", "pdeathsig", *words))
