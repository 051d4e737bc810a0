"""What a zygote is started with. From equal origins come zygotes that fork equal workers."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "XLA_FLAGS")
_FIXED = {
    "HOME": "/nonexistent",
    "JAX_PLATFORMS": "cpu",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONNOUSERSITE": "1",
}


class Origin(NamedTuple):
    """A zygote's imports, the folders in front of its import path, its environment, and the cores that it may use."""

    modules: tuple[str, ...]
    path: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    cores: frozenset[int]

    @classmethod
    def here(cls, modules: Sequence[str], path: Sequence[str]) -> Self:
        """As this process would start one now; the environment is an allowlist."""
        package_root = str(Path(__file__).resolve().parents[2])
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ} | _FIXED
        environment["PYTHONPATH"] = os.pathsep.join((*path, package_root))
        return cls(tuple(modules), tuple(path), tuple(environment.items()), frozenset(os.sched_getaffinity(0)))

    def command(self, control: int) -> list[str]:
        """The zygote as a program; `control` is the number of its end of the control socket."""
        start = [sys.executable, "-m", "healing_runtime.sandbox.zygote_main", str(control), str(os.getpid())]
        return [*start, *self.modules]
