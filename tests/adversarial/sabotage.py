"""What a worker does instead of its job: run in the sandbox's workers by `test_broken_machinery`."""

import os
import signal
import socket
import stat
import time

import numpy as np

from healing_runtime.sandbox.messages import Message


def killed(message):
    os.kill(os.getpid(), signal.SIGKILL)


def killed_by_a_signal_without_a_name(message):
    os.kill(os.getpid(), 40)


def hung(message):
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))
    while True:
        time.sleep(60)


def stopped(message):
    os.kill(os.getpid(), signal.SIGSTOP)


def out_of_memory(message):
    """Memory that is asked for bit by bit, until the kernel gives no more of it."""
    kept = []
    while True:
        kept.append(np.empty(1 << 28, np.uint8))


def out_of_disk(message):
    """A file in memory, which is what a worker without a folder can write to: the limit on files holds for it, too."""
    number = os.memfd_create("everything")
    while True:
        os.write(number, b"x" * (1 << 20))


def _connections():
    for number in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                yield number
        except OSError:
            continue


def pipe_broken(message):
    for number in _connections():
        os.close(number)
    return Message()


def pipe_half_closed(message):
    for number in _connections():
        socket.socket(fileno=os.dup(number)).shutdown(socket.SHUT_WR)
    time.sleep(60)


def garbage(message):
    for number in _connections():
        socket.socket(fileno=os.dup(number)).sendall(b"\x00" * 64)
    time.sleep(60)


def giant(message):
    """An answer that would take gigabytes of the one that reads it."""
    header = b'{"answer":{"findings":[' + b"[]," * (4 << 20) + b"[]]}}"
    frame = b"HRM1" + len(header).to_bytes(8, "big") + (0).to_bytes(4, "big") + header
    for number in _connections():
        socket.socket(fileno=os.dup(number)).sendall(frame)
    time.sleep(60)


def late(message):
    time.sleep(2.0)
    return all_is_well(message)


def empty(message):
    return Message()


def other_error(message):
    from healing_runtime.core.errors import UnitError

    raise UnitError("metres and seconds")


def all_is_well(message):
    """What a worker would say that wants to be believed, whatever it was asked."""
    kept = {"kept": True, "fault": "", "first_tick": 0, "last_tick": 9, "trip_tick": None, "robustness": 9.0}
    return Message({"findings": [], "reports": [{**kept, "weakest": "", "digest": ""}] * 99, "accepted": True})
