"""The zygote process: imports everything once, then forks a worker a request.

It has one thread and no JAX backend, so a fork is a clean copy. It never sees a job or an answer: a request carries the
worker's end of a socket pair and a descriptor for its output; only process ids and exit statuses pass through here.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Sequence

from healing_runtime.sandbox import confinement, namespaces, system_calls, worker
from healing_runtime.sandbox.messages import Limits


def preload(modules: Sequence[str]) -> list[str]:
    """Import the modules and run the `warm_up()` of those that have one; a note for each that could not be had.

    A module that is not there is only a note: the job that needs it says so itself.
    """
    notes = []
    for name in modules:
        try:
            module = importlib.import_module(name)
            getattr(module, "warm_up", lambda: None)()
        except Exception as error:
            notes.append(f"{name}: {type(error).__name__}: {error}")
    return notes


class Zygote:
    """Serves fork and kill requests on the control socket until its other end closes."""

    def __init__(self, control: socket.socket, words: tuple[str, ...]) -> None:
        self.control = control
        self.words = words  # what the trial of the confinement achieved
        self.workers: dict[int, int] = {}  # process id -> job number

    def serve(self) -> None:
        """The loop; returns when the supervisor is gone."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(self.control, selectors.EVENT_READ)
            selector.register(wake_read, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self.control:
                        if not self._request():
                            return
                    else:
                        with contextlib.suppress(BlockingIOError):
                            os.read(wake_read, 4096)
                        self._reap()

    def _request(self) -> bool:
        data, descriptors, _, _ = socket.recv_fds(self.control, 65536, 2)
        if not data:
            return False
        request = json.loads(data)
        if "kill" in request:
            for pid, job in self.workers.items():
                if job == request["kill"]:
                    kill_group(pid)
            return True
        connection, log = socket.socket(fileno=descriptors[0]), descriptors[1]
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            worker.live(connection, log, Limits(**request["limits"]), request["nproc"], parent)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        self.workers[pid] = request["fork"]
        connection.close()
        os.close(log)
        return True

    def _reap(self) -> None:
        """Collect the dead, kill what they left behind, report the workers among them."""
        while True:
            try:
                dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if dead is None:
                return
            kill_group(dead.si_pid)  # while the id is still taken: after the wait below it may be given out again
            _, status = os.waitpid(dead.si_pid, 0)
            job = self.workers.pop(dead.si_pid, None)
            for orphan in set(children()) - set(self.workers):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)
            if job is not None:
                self._send({"exited": job, "status": os.waitstatus_to_exitcode(status)})

    def _send(self, event: dict[str, object]) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.control.send(json.dumps(event).encode())

    def ready(self, notes: Sequence[str]) -> None:
        """Tell the supervisor that forks may be asked for."""
        threads = len(os.listdir("/proc/self/task"))
        self._send({"ready": os.getpid(), "threads": threads, "notes": [n[:500] for n in notes], "words": self.words})


def children() -> list[int]:
    """Process ids whose parent is this process's only thread (orphans adopted included)."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(word) for word in file.read().split()]
    except FileNotFoundError:  # a kernel built without it: the process group alone is killed
        return []


def kill_group(pid: int) -> None:
    """SIGKILL to a worker's process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def confinement_words() -> tuple[str, ...]:
    """What a worker achieves here, tried in a throw-away child."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, json.dumps(confinement.confine(Limits())).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        data = stream.read()
    os.waitpid(pid, 0)
    return tuple(json.loads(data)) if data else ()


def main(arguments: Sequence[str]) -> None:
    """`CONTROL_FD PARENT_PID MODULE…`, started by `zygote.Sandbox` only."""
    control = socket.socket(fileno=int(arguments[0]))
    parent = int(arguments[1])
    namespaces.enter()
    confinement.die_with_parent(parent)
    confinement.adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    notes = preload(arguments[2:])
    system_calls.library()  # it looks for the library with a program, which a worker may not start
    zygote = Zygote(control, confinement_words())
    gc.collect()
    gc.freeze()  # a collection in a worker then does not touch, and so copy, the zygote's pages
    zygote.ready(notes)
    try:
        zygote.serve()
    finally:
        for pid in [*zygote.workers, *children()]:
            kill_group(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
