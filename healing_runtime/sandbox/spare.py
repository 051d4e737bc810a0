"""A zygote that outlives its sandbox, for the next run of this process.

To start one takes a second or two, most of a run that heals from memory. It has seen no job and no answer; each
worker is a clean copy of it, and is confined anew. So the next sandbox has the workers that a new zygote would give it,
if that would be started from an equal origin.
"""

from __future__ import annotations

import atexit
import os
import threading

from healing_runtime.sandbox.host import Host
from healing_runtime.sandbox.origin import Origin

KEPT_S = 60.0
"""So long a zygote waits for the next run: it holds memory."""


class Spare:
    """Room for one idle zygote."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._host: Host | None = None
        self._limit: threading.Timer | None = None

    def take(self, origin: Origin) -> Host | None:
        """The zygote that waits here, if it lives and comes from this origin; one from another is stopped."""
        host = self._exchanged()
        if host is None:
            return None
        if host.origin != origin or not host.lives:
            host.stop()
            return None
        return host

    def leave(self, host: Host) -> None:
        """Let an idle zygote wait here for `KEPT_S`; one that was waiting is stopped."""
        limit = threading.Timer(KEPT_S, self._expired, (host,))
        limit.daemon = True
        before = self._exchanged(host, limit)
        limit.start()
        if before is not None:
            before.stop()

    def empty(self) -> None:
        """Stop what waits here."""
        host = self._exchanged()
        if host is not None:
            host.stop()

    def forget(self) -> None:
        """In a forked child: the zygote is its parent's."""
        self.__init__()

    def _exchanged(self, host: Host | None = None, limit: threading.Timer | None = None) -> Host | None:
        """What was waiting; its time no longer runs."""
        with self._lock:
            before, running = self._host, self._limit
            self._host, self._limit = host, limit
        if running is not None:
            running.cancel()
        return before

    def _expired(self, host: Host) -> None:
        with self._lock:
            if self._host is not host or self._limit is not threading.current_thread():
                return
            self._host = self._limit = None
        host.stop()


SPARE = Spare()
"""The one of this process."""
atexit.register(SPARE.empty)
os.register_at_fork(after_in_child=SPARE.forget)
