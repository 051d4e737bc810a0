"""What must stand before a JAX backend starts, and what identifies the machine a number came from.

XLA's results change with the number of cores it sees, so everything that carries a verdict runs with `NPROC=1`
(physics.md); a search in a worker of its own uses all cores and records the count.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from healing_runtime import __version__

_PACKAGES = ("jax", "jaxlib", "numpy", "pybullet")


def pin_environment() -> None:
    """Pin threads and device through the environment; call it before anything starts a JAX backend.

    The device is a setting: `JAX_PLATFORMS` is kept where the user has set it.
    """
    os.environ["NPROC"] = "1"
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pin_platform() -> dict[str, Any]:
    """`pin_environment`, and the fingerprint that goes into manifests and evidence."""
    pin_environment()
    return fingerprint()


def fingerprint() -> dict[str, Any]:
    """The platform as plain JSON. Two machines with equal fingerprints are expected to agree bit for bit.

    Packages are looked up, not imported; a package that is not installed is `null`.
    """
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu_model": _cpu_model(),
        "cpu_features": _cpu_features(),
        "libm": " ".join(platform.libc_ver()),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "healing_runtime": __version__,
        **{package: _version(package) for package in _PACKAGES},
        "nproc": os.environ.get("NPROC"),
        "visible_cores": len(os.sched_getaffinity(0)),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "jax_platforms": os.environ.get("JAX_PLATFORMS", ""),
    }


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Drop what C code writes to standard error meanwhile: PyBullet greets on import, an error has to be one line."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@functools.cache
def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def _cpu_lines() -> dict[str, str]:
    """The first processor of /proc/cpuinfo; empty where there is none."""
    try:
        block = Path("/proc/cpuinfo").read_text().split("\n\n", 1)[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in block.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _cpu_model() -> str:
    return _cpu_lines().get("model name") or platform.processor() or platform.machine()


def _cpu_features() -> str:
    """sha256 of the sorted feature flags: XLA compiles for them."""
    flags = _cpu_lines().get("flags") or _cpu_lines().get("Features") or ""
    return "sha256:" + hashlib.sha256(" ".join(sorted(flags.split())).encode()).hexdigest()
