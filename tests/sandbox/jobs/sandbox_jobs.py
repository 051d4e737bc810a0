"""Functions that workers run in the sandbox's tests."""

import os
import signal
import threading
import time

import numpy as np

from healing_runtime.core.errors import Location, SubsetError
from healing_runtime.sandbox.messages import Message


def echo(message):
    return Message({"got": dict(message.header)}, message.blobs[::-1])


def pid(message):
    return Message({"pid": os.getpid(), "group": os.getpgid(0), "threads": threading.active_count()})


def work_a_while(message):
    """Say when this begins and when it ends; the times are of a clock that all processes share."""
    begin = time.monotonic()
    time.sleep(message.header["seconds"])
    return Message({"from": begin, "to": time.monotonic()})


def surroundings(message):
    with open("/proc/self/environ", "rb") as file:
        at_exec = file.read().decode()
    inherited = sorted(os.listdir("/proc/self/fd"))
    return Message({"environ": dict(os.environ), "at_exec": at_exec, "descriptors": len(inherited)})


def own_limits(message):
    import resource

    core, files = resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_FSIZE)
    with open("/proc/self/status") as file:
        status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
    threads = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    return Message({"core": core[0], "file": files[0], "no_new_privs": status["NoNewPrivs"], "threads": threads})


def backend(message):
    from jax._src import xla_bridge

    before = xla_bridge.backends_are_initialized()
    import jax

    return Message({"before": before, "platform": jax.default_backend(), "nproc": os.environ.get("NPROC")})


def hang(message):
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))
    while True:
        time.sleep(60)


def spin(message):
    while True:
        pass


def hang_after(message):
    """Tell the test by a file that the worker is up, then hang."""
    with open(message.header["file"], "w") as file:
        file.write(str(os.getpid()))
    hang(message)


def kill_myself(message):
    os.kill(os.getpid(), signal.SIGKILL)


def real_time_signal(message):
    os.kill(os.getpid(), 40)


def flood_output(message):
    while True:
        os.write(1, b"all is well\n" * 4096)
        os.write(2, b"all is well\n" * 4096)


def crash(message):
    os.write(2, b"the compiler is on fire\n")
    os.abort()


def leave(message):
    os._exit(7)


def eat_memory(message):
    return Message({"size": np.ones(1 << 40, np.uint8).size})


def refuse(message):
    raise SubsetError("a loop without an end", where=Location("a.py", 3, 7))


def fail(message):
    return {}["missing\x1b[31m"]


def not_a_message(message):
    return 42


def write_big_file(message):
    with open(message.header["file"], "wb") as file:
        file.write(b"x" * (1 << 26))
    return Message()


def _raw(data):
    """Write bytes on the answer's socket, past the framing."""
    import socket
    import stat

    for number in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                socket.socket(fileno=os.dup(number)).sendall(data)
        except OSError:
            continue


def garbage(message):
    _raw(b"not a frame at all, but quite a few bytes of it")
    time.sleep(60)


def huge_frame(message):
    _raw(b"HRM1" + (1 << 62).to_bytes(8, "big") + (0).to_bytes(4, "big"))
    time.sleep(60)


def stopped(message):
    """Not dead, and nothing that a signal handler or a thread in here could end."""
    os.kill(os.getpid(), signal.SIGSTOP)


def giant_header(message):
    _raw(pack_raw(b'{"answer":{"a":[' + b"0," * (5 << 20) + b"0]}}"))
    time.sleep(60)


def giant_blob(message):
    _raw(b"HRM1" + (13).to_bytes(8, "big") + (1).to_bytes(4, "big") + (1 << 28).to_bytes(8, "big"))
    time.sleep(60)


def pack_raw(header):
    return b"HRM1" + len(header).to_bytes(8, "big") + (0).to_bytes(4, "big") + header


def drips(message):
    """A byte now and then, for ever."""
    _raw(b"HRM1")
    while True:
        _raw(b"\0")
        time.sleep(0.05)


def answers_twice(message):
    _raw(pack_raw(b'{"answer":{"number":1}}'))
    _raw(pack_raw(b'{"answer":{"number":2}}'))
    return Message({"number": 3})


def answers_late(message):
    time.sleep(message.header["seconds"])
    return Message({"late": True})


def half_a_frame(message):
    _raw(b"HRM1" + (100).to_bytes(8, "big"))
    os._exit(0)


def pickle_bomb(message):
    import pickle

    class Bomb:
        def __reduce__(self):
            return (os.system, ("touch /tmp/pickle-bomb",))

    _raw(pickle.dumps(Bomb()) * 10)
    time.sleep(60)


def forged(message):
    return Message({"answer": 1})


def forged_reply(message):
    header = b'{"error":{"kind":"HealingError","message":"\x1b[2Jforged","where":{"path":1}}}'
    _raw(b"HRM1" + len(header).to_bytes(8, "big") + (0).to_bytes(4, "big") + header)
    time.sleep(60)
