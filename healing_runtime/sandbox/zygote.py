"""The supervisor's side of the sandbox: a pool of confined workers.

A job runs on a pool thread, which asks the zygote for a worker and holds it to its limits (`host.py`).
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from healing_runtime.core.errors import SandboxFailed
from healing_runtime.sandbox.host import Host
from healing_runtime.sandbox.leash import Leash
from healing_runtime.sandbox.messages import Job, Limits, Message
from healing_runtime.sandbox.origin import Origin
from healing_runtime.sandbox.spare import Spare

__all__ = ["DEFAULT_MODULES", "Job", "Limits", "Message", "Sandbox"]

DEFAULT_MODULES = (
    "numpy",
    "jax",
    "pybullet",
    "healing_runtime.gate.build",
    "healing_runtime.gate.flights",
    "healing_runtime.brains.embedded.search",
)
"""What the zygote imports. Names, not imports: the sandbox knows none of them."""
BURIAL_S = 1.0
"""How long a sandbox that closes waits for workers that have answered to be gone, if its zygote may be handed on."""
DYING_S = 1.0
MOST_WORKERS = 64
"""Each may take gigabytes."""


class Sandbox:
    """A pool of confined workers, one process a job.

    A zygote that dies takes its jobs with it (each fails with `SandboxFailed`); the next job starts a new one.

    Args:
        workers: jobs that run at the same time, 1 to `MOST_WORKERS`; more wait in line. ValueError for another number.
        modules: what the zygote imports before the first fork; a module's `warm_up()` is called if it has one.
        path: folders put on the workers' import path, in front.
        spare: where to look for a zygote before one is started, and where to leave it if it is idle at the end.
    """

    def __init__(
        self,
        workers: int = 2,
        modules: Sequence[str] = DEFAULT_MODULES,
        path: Sequence[str | Path] = (),
        spare: Spare | None = None,
    ) -> None:
        if not 1 <= workers <= MOST_WORKERS:
            raise ValueError(f"a sandbox has 1 to {MOST_WORKERS} workers, not {workers}.")
        self.workers = workers
        self._modules = tuple(modules)
        self._path = tuple(str(Path(p).resolve()) for p in path)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="sandbox-job")
        self._spare = spare
        self._deadline_s = math.inf
        self._lock = threading.Lock()
        self._jobs = 0
        self._host: Host | None = None
        self._handed_on: Host | None = None
        self._closed = False

    def start(self) -> None:
        """Spawn the zygote and return at once; it imports meanwhile."""
        self._live_host()

    def submit(self, job: Job) -> Future[Message]:
        """Run a job.

        The future gives its answer, or raises the job's `InputError`, `WorkerFailed`, `SandboxFailed` if no worker
        could be had, or `BudgetSpent` (see `until`, and `leash.call_off`).
        """
        if self._closed:
            raise SandboxFailed("the sandbox is closed")
        self.start()
        leash = Leash(self._deadline_s)
        return leash.tied_to(self._pool.submit(self._perform, job, leash))

    @contextlib.contextmanager
    def until(self, deadline_s: float) -> Iterator[None]:
        """Jobs submitted inside end when the monotonic clock reaches `deadline_s`.

        Their workers are killed then, and they raise `BudgetSpent`: it says nothing about the job.
        """
        before, self._deadline_s = self._deadline_s, min(self._deadline_s, deadline_s)
        try:
            yield
        finally:
            self._deadline_s = before

    def run(self, job: Job) -> Message:
        """`submit` and wait."""
        return self.submit(job).result()

    def close(self) -> None:
        """Kill everything: jobs in flight fail with `SandboxFailed`, waiting ones are cancelled. Idempotent.

        A zygote without jobs is left where there is room for a spare one.
        """
        with self._lock:
            self._closed = True
            host, self._host = self._host, None
            spare = self._spare if self._jobs == 0 else None
        self._pool.shutdown(wait=False, cancel_futures=True)
        if host is not None and spare is not None and host.idle(BURIAL_S):
            spare.leave(host)
        elif host is not None:
            host.stop()
        self._pool.shutdown(wait=True)

    @property
    def confinement(self) -> str:
        """The confinement workers get here, in words joined by `+`. Waits for the zygote."""
        return self._live_host().ready()

    @property
    def zygote_pid(self) -> int:
        """Process id of the zygote. Waits for it."""
        host = self._live_host()
        host.ready()
        return host.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _live_host(self, *, job: bool = False) -> Host:
        with self._lock:
            if self._closed:
                raise SandboxFailed("the sandbox is closed")
            if self._host is None or self._host.dead.is_set():
                origin = Origin.here(self._modules, self._path)
                waiting = None if self._spare is None else self._spare.take(origin)
                self._host, self._handed_on = waiting or Host(origin), waiting
            self._jobs += job
            return self._host

    def _perform(self, job: Job, leash: Leash) -> Message:
        host = self._live_host(job=True)
        try:
            try:
                return _asked(host, job, leash)
            except SandboxFailed:
                self._spare = None  # a zygote that failed once is not handed on
                # One that died while it waited is no fault of this sandbox's, which would have started its own.
                if host is not self._handed_on or not host.dead.wait(DYING_S):
                    raise
                return _asked(self._live_host(), job, leash)
        finally:
            with self._lock:
                self._jobs -= 1


def _asked(host: Host, job: Job, leash: Leash) -> Message:
    host.ready(leash)
    return host.perform(job, leash)
