"""What a worker gives up before it touches its job.

Applied right after the fork, while the process has one thread: Landlock and seccomp hold for threads to come, not for
those that run already. Each step returns the word under which `describe` reports it, or nothing where this machine has
not got it; a worker tells its words before it is given a job, and one that achieves less than the zygote's trial did
gets none.
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from healing_runtime.core.errors import InputError
from healing_runtime.core.records import Policy
from healing_runtime.sandbox import landlock, namespaces, system_calls
from healing_runtime.sandbox.messages import Limits

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_LIBC = ctypes.CDLL(None, use_errno=True)

_SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/localtime",
    "/usr/share/zoneinfo", "/dev/urandom", "/dev/random", "/dev/zero", "/proc/self", "/proc/cpuinfo", "/proc/meminfo",
    "/proc/stat", "/proc/sys/kernel", "/proc/sys/vm", "/sys/devices/system", "/sys/fs/cgroup",
)  # fmt: skip
"""What the interpreter, XLA and the C library read. Of `/proc` only what is the worker's own or says nothing of others:
the environment of the process above holds the keys.
"""
STRICT = frozenset({"landlock", "seccomp"})
"""What `policy.confinement: required` asks for beyond what every machine has."""

REMEDIES = {
    "landlock": "Landlock wants Linux 5.13 or later with 'landlock' among its security modules",
    "seccomp": "seccomp wants the system's libseccomp (Debian: libseccomp2)",
}
"""What a machine without it needs."""

MOST_THREADS = 4096
"""Of all workers together, where they are counted apart from the user's other processes. Root's are not counted."""

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


def namespaces_apart(limits: Limits) -> str:
    """A user and a network of its own: the zygote entered them, and a fork of it is inside."""
    return namespaces.entered()


def no_new_privileges(limits: Limits) -> str:
    """No setuid program can raise this process."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    return "no_new_privs"


def not_dumpable(limits: Limits) -> str:
    """No core file, and no other process of the same user may attach or read the memory."""
    _prctl(_PR_SET_DUMPABLE, 0)
    return "not_dumpable"


def resource_limits(limits: Limits) -> str:
    """Address space, CPU time, file size, descriptors, threads, no core file."""
    cpu_s = max(1, math.ceil(limits.cpu_s))
    threads = ((resource.RLIMIT_NPROC, MOST_THREADS, MOST_THREADS),) if "user_ns" in namespaces.entered() else ()
    for kind, soft, hard in (
        *threads,
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


def files_in_reach(limits: Limits) -> str:
    """Read what Python and XLA need and what the job was given; write in its scratch folder, if it has one."""
    if not landlock.version():
        return ""
    package = str(Path(__file__).resolve().parents[1])
    given = (sys.prefix, sys.base_prefix, package, *limits.readable)
    scratch = (limits.scratch,) if limits.scratch else ()
    landlock.restrict((*_SYSTEM, *given, *scratch), ("/dev/null", *scratch))
    return "landlock"


def system_calls_in_reach(limits: Limits) -> str:
    """No programs, processes, sockets; no hand on other processes, and no way out of the steps before."""
    seccomp = system_calls.library()
    if seccomp is None:
        return ""
    system_calls.restrict(seccomp)
    return "seccomp"


STEPS: tuple[Step, ...] = (
    namespaces_apart, no_new_privileges, not_dumpable, resource_limits, files_in_reach, system_calls_in_reach,
)  # fmt: skip


def confine(limits: Limits) -> tuple[str, ...]:
    """Apply every step to this process; the words achieved. OSError if the kernel refuses what it says it has."""
    return tuple(word for word in (step(limits) for step in STEPS) if word)


def describe(words: Sequence[str]) -> str:
    """The level as `doctor` and evidence records state it."""
    return "+".join(("process", "clean_env", "pdeathsig", *words))


def missing(description: str) -> tuple[str, ...]:
    """What a described level lacks of the strictest, sorted."""
    return tuple(sorted(STRICT.difference(description.split("+"))))


def refuse_weak(policy: Policy, description: str) -> None:
    """InputError where the scenario requires the strictest level and this machine has less."""
    lacks = missing(description)
    if lacks and policy.confinement == "required":
        remedies = "; ".join(REMEDIES[word] for word in lacks)
        raise InputError(
            f"policy.confinement is 'required', and workers here are confined without {' and '.join(lacks)}; "
            f"{remedies}; or write 'preferred', if the machine itself may be at stake."
        )
