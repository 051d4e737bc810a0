"""How a job is ended from outside before its own limits end it: at a moment that was set for it, or at once."""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import weakref
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import Any


class Leash:
    """One job's. `deadline_s` is when the budget of whoever asked ends, on the monotonic clock."""

    def __init__(self, deadline_s: float = math.inf) -> None:
        self.deadline_s = deadline_s
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._pulled = False

    def tied_to(self, future: Future[Any]) -> Future[Any]:
        """The future of the job, by which `call_off` finds this leash again."""
        _LEASHES[future] = self
        return future

    @property
    def pulled(self) -> bool:
        """True once nobody wants the job's answer any more."""
        return self._pulled

    def pull(self) -> None:
        """End the job now, wherever it is."""
        with self._lock:
            self._pulled = True
            if self._connection is not None:
                with contextlib.suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for the answer

    @contextlib.contextmanager
    def holding(self, connection: socket.socket) -> Iterator[None]:
        """While the job is waited for at this end of its connection."""
        with self._lock:
            self._connection = connection
            if self._pulled:
                connection.shutdown(socket.SHUT_RDWR)
        try:
            yield
        finally:
            with self._lock:
                self._connection = None


_LEASHES: weakref.WeakKeyDictionary[Future[Any], Leash] = weakref.WeakKeyDictionary()


def call_off(futures: Iterable[Future[Any]]) -> None:
    """Let go of jobs whose answers nobody wants: waiting ones never start, workers of running ones are killed."""
    begun = [future for future in futures if not future.cancel()]  # first of all, or what waits takes the places
    for future in begun:
        if not future.done() and future in _LEASHES:
            _LEASHES[future].pull()
