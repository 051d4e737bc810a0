"""One zygote process, the thread that keeps it, and the life of a job seen from outside.

The *keeper* thread spawns the zygote and lives as long as it does (a parent-death signal follows the spawning thread).
A job makes a socket pair, asks the zygote for a worker that holds the other end, hears from it how it is confined, is
written there, and is answered by one frame before its deadline.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import socket
import subprocess
import tempfile
import threading
import time
from typing import IO, Any

from healing_runtime.core.errors import BudgetSpent, SandboxFailed, WorkerFailed
from healing_runtime.sandbox import confinement, replies
from healing_runtime.sandbox.leash import Leash
from healing_runtime.sandbox.messages import FrameError, Job, Message, pack, unpack_answer
from healing_runtime.sandbox.origin import Origin

START_S = 60.0
FORK_S = 30.0
"""How long a zygote may take to fork a worker that is confined; it is a few milliseconds where nothing is wrong."""
EXIT_S = 5.0
HANGING_UP_S = 1.0
"""How long a worker that closed its end may take to be gone."""


class Host:
    """One zygote process and the thread that keeps it."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.dead = threading.Event()
        self.pid = 0
        self._greeted = threading.Event()
        self._greeting: dict[str, Any] = {}
        self._epitaph = ""
        self._exits: dict[int, _Exit] = {}
        self._lock = threading.Lock()
        self._buried = threading.Condition(self._lock)
        self._process: subprocess.Popen[bytes] | None = None
        self._next_job = 0
        self._control, self._far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        threading.Thread(target=self._keep, name="sandbox-keeper", daemon=True).start()

    # ------------------------------------------------------------ the keeper thread
    def _keep(self) -> None:
        with tempfile.TemporaryFile() as log:
            try:
                process = self._spawn(log)
            except OSError as error:
                self._end(f"it could not be started: {error}")
                return
            try:
                self._listen()
            finally:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(EXIT_S)
                process.kill()
                self._end(replies.tail(log) or replies.status_in_words(process.wait()))

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        number = self._far_end.fileno()
        process = subprocess.Popen(
            self.origin.command(number),
            env=dict(self.origin.environment),
            pass_fds=(number,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
        self.pid, self._process = process.pid, process
        self._far_end.close()
        return process

    def _listen(self) -> None:
        while data := self._heard():
            event = json.loads(data)
            if "ready" in event:
                self._greeting = event
                self._greeted.set()
            else:
                with self._lock:
                    waiting = self._exits.pop(event["exited"], None)
                    self._buried.notify_all()
                if waiting is not None:
                    waiting.report(event["status"])

    def _heard(self) -> bytes:
        try:
            return self._control.recv(65536)
        except OSError:  # reset: the zygote died with requests unread
            return b""

    def _end(self, epitaph: str) -> None:
        self._control.close()
        self._far_end.close()
        self._epitaph = epitaph
        self.dead.set()
        self._greeted.set()
        with self._lock:
            waiting, self._exits = self._exits, {}
            self._buried.notify_all()
        for exit_ in waiting.values():
            exit_.report(None)

    # ------------------------------------------------------------ pool threads
    def ready(self, leash: Leash | None = None) -> str:
        """Wait for the zygote; the confinement achieved.

        Raises:
            SandboxFailed: it died, hangs, or cannot fork safely.
            BudgetSpent: the leash's deadline came first.
        """
        asked_until = math.inf if leash is None else leash.deadline_s
        deadline = min(time.monotonic() + START_S, asked_until)
        if not self._greeted.wait(max(0.0, deadline - time.monotonic())):
            if deadline == asked_until:  # which says nothing of the zygote
                raise BudgetSpent("the zygote was still starting")
            self.stop()
            raise SandboxFailed("the zygote did not start", f"nothing heard for {START_S:g} s")
        if self.dead.is_set() and not self._greeting:
            raise SandboxFailed("the zygote did not start", self._epitaph)
        if self._greeting["threads"] != 1:
            self.stop()
            raise SandboxFailed("the zygote cannot fork", "a module it imports starts threads")
        return confinement.describe(tuple(self._greeting["words"]))

    @property
    def lives(self) -> bool:
        """Whether the process runs; what killed it a moment ago is known here before its end is heard of."""
        return not self.dead.is_set() and self._process is not None and self._process.poll() is None

    def idle(self, patience_s: float = 0.0) -> bool:
        """Whether the zygote lives and has no worker; those that have answered get so long to be buried."""
        with self._buried:
            self._buried.wait_for(lambda: not self._exits, patience_s)
            return self._greeted.is_set() and self.lives and not self._exits

    def stop(self) -> None:
        """Close the control socket: the zygote kills its workers and goes; the keeper kills it if it does not."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        self.dead.wait(2 * EXIT_S)

    def perform(self, job: Job, leash: Leash | None = None) -> Message:
        """Run one job to its answer, its error, or its end. BudgetSpent where the leash ended it.

        Its time begins when it is given to a confined worker.
        """
        leash = leash or Leash()
        if leash.pulled or time.monotonic() >= leash.deadline_s:
            raise BudgetSpent(f"{job.function} was not begun")
        deadline = leash.deadline_s
        near, far, log = _ends()
        try:
            number, exit_ = self._fork(job, far, log)
            try:
                with leash.holding(near):
                    self._must_be_confined(near, exit_, log, job, leash)
                    deadline = min(time.monotonic() + job.limits.wall_s, leash.deadline_s)
                    _send(near, _framed(job), deadline)
                    answer = unpack_answer(lambda count: _read_exactly(near, count, deadline))
            except SandboxFailed:
                if leash.pulled:  # which ended the connection, and no fault of the sandbox's
                    raise BudgetSpent(f"{job.function} was called off") from None
                raise
            except TimeoutError:
                self._kill(number)
                if deadline == leash.deadline_s:
                    raise BudgetSpent(f"{job.function} was cut off") from None
                raise WorkerFailed("timed out", f"{job.function} took more than {job.limits.wall_s:g} s") from None
            except FrameError as error:
                raise WorkerFailed("answered outside the schema", str(error)) from None
            except (EOFError, ConnectionError):
                if leash.pulled:
                    raise BudgetSpent(f"{job.function} was called off") from None
                status = exit_.wait(HANGING_UP_S)
                if status is None and not self.dead.is_set():
                    self._kill(number)  # it closed its end and lives on: it may be hostile, the zygote is not to blame
                    if exit_.wait(EXIT_S) is not None:
                        raise WorkerFailed("hung up without an answer", replies.tail(log)) from None
                if status is None:
                    raise SandboxFailed("the zygote died", self._epitaph) from None
                raise WorkerFailed(replies.status_in_words(status), replies.tail(log)) from None
            finally:
                self._kill(number)
            return replies.opened(answer)
        finally:
            near.close()
            far.close()
            os.close(log)

    def _must_be_confined(self, near: socket.socket, exit_: _Exit, log: int, job: Job, leash: Leash) -> None:
        """Hear from a worker, which has seen no job yet, that it is confined as the zygote's trial was.

        Raises:
            SandboxFailed: it is not, or nothing is heard. Whatever is wrong, the job is not to blame.
            BudgetSpent: nothing is heard before the leash's deadline.
        """
        words, deadline = self._greeting["words"], min(time.monotonic() + FORK_S, leash.deadline_s)
        try:
            said = unpack_answer(lambda count: _read_exactly(near, count, deadline)).header.get("confined")
        except TimeoutError:
            if deadline == leash.deadline_s:
                raise BudgetSpent(f"{job.function} was not begun") from None
            self.stop()  # a zygote that hangs is of no use; the next job starts another
            raise SandboxFailed("no worker could be had", f"the zygote forked none in {FORK_S:g} s") from None
        except (EOFError, ConnectionError):
            if exit_.wait(HANGING_UP_S) is None:
                raise SandboxFailed("the zygote died", self._epitaph) from None
            raise SandboxFailed("no worker could be had", replies.tail(log)) from None
        if said != words:
            raise SandboxFailed("a worker is confined by less than the others", f"by {said} and not by {words}")

    def _fork(self, job: Job, far: socket.socket, log: int) -> tuple[int, _Exit]:
        exit_ = _Exit()
        with self._lock:
            self._next_job += 1
            number = self._next_job
            self._exits[number] = exit_
            limits = vars(job.limits) | {"readable": [*self.origin.path, *job.limits.readable]}
            request = {"fork": number, "limits": limits, "nproc": job.nproc}
            try:
                socket.send_fds(self._control, [json.dumps(request).encode()], [far.fileno(), log])
            except OSError:
                self._exits.pop(number)
                raise SandboxFailed("the zygote died", self._epitaph) from None
        far.close()
        return number, exit_

    def _kill(self, number: int) -> None:
        with contextlib.suppress(OSError):
            self._control.send(json.dumps({"kill": number}).encode())


class _Exit:
    """How a worker ended, once it is known."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._status: int | None = None

    def report(self, status: int | None) -> None:
        """Exit status as `waitstatus_to_exitcode` gives it; None if the zygote died first."""
        self._status = status
        self._event.set()

    def wait(self, timeout_s: float) -> int | None:
        """The status, or None if nobody can tell."""
        self._event.wait(timeout_s)
        return self._status


def _ends() -> tuple[socket.socket, socket.socket, int]:
    """Both ends of a job's connection and the file of its output. SandboxFailed where there are no more of them."""
    try:
        near, far = socket.socketpair()
        try:
            return near, far, os.memfd_create("worker-output")
        except OSError:
            near.close()
            far.close()
            raise
    except OSError as error:
        raise SandboxFailed("no worker could be had", str(error)) from None


def _framed(job: Job) -> bytes:
    return pack(Message({"function": job.function, "header": job.message.header}, job.message.blobs))


def _send(connection: socket.socket, data: bytes, deadline: float) -> None:
    connection.settimeout(max(1e-3, deadline - time.monotonic()))
    # A worker that dies before it has read everything says why through its exit status.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(data)


def _read_exactly(connection: socket.socket, count: int, deadline: float) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not select.select([connection], [], [], left_s)[0]:
            raise TimeoutError
        part = connection.recv(min(count - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
