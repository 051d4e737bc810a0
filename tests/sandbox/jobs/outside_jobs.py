"""What a hostile worker would try, each as a function that tells how far it came."""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import threading

from healing_runtime.sandbox.messages import Message

_LIBC = ctypes.CDLL(None, use_errno=True)


def _prctl(option, value):
    if _LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _system_call(number, *arguments):
    result = _LIBC.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "system call")
    return result


def _more(kind):
    if _LIBC.setrlimit(kind, (ctypes.c_ulong * 2)(1 << 40, 1 << 40)):
        raise OSError(ctypes.get_errno(), "setrlimit")


def _write(path):
    with open(path, "w") as file:
        file.write("here")


def _read(path):
    with open(path, "rb") as file:
        return file.read().decode(errors="replace")


def _connect(port):
    with socket.create_connection(("127.0.0.1", int(port)), timeout=2):
        return "connected"


def _fork():
    if os.fork() == 0:
        os._exit(0)


ATTEMPTS = {
    "read": _read,
    "write": _write,
    "list": lambda path: ",".join(os.listdir(path)),
    "remove": os.remove,
    "rename": lambda path: os.rename(path, path + "2"),
    "link": lambda path: os.symlink("/etc/passwd", path + "3"),
    "truncate": lambda path: os.truncate(path, 0),
    "chmod": lambda path: os.chmod(path, 0o777),
    "touch": lambda path: os.utime(path),
    "through_proc": lambda path: _read("/proc/self/root" + path),
    "through_cwd": lambda path: (os.chdir("/"), _read(path.lstrip("/")))[1],
    "environment_of": lambda pid: _read(f"/proc/{pid}/environ"),
    "memory_of": lambda pid: _read(f"/proc/{pid}/mem"),
    "processes": lambda _: ",".join(name for name in os.listdir("/proc") if name.isdigit()),
    "kill": lambda pid: os.kill(int(pid), signal.SIGTERM),
    "kill_group": lambda pid: os.killpg(int(pid), signal.SIGTERM),
    "trace": lambda pid: _system_call(101, 16, int(pid), 0, 0),
    "socket": lambda _: socket.socket(),
    "connect": _connect,
    "interfaces": lambda _: ",".join(sorted(name for _, name in socket.if_nameindex())),
    "apart": lambda kind: os.readlink(f"/proc/self/ns/{kind}"),
    "host_name": lambda _: socket.sethostname("mine"),
    "unix_socket": lambda _: socket.socketpair(),
    "program": lambda _: subprocess.run(["/bin/true"], check=True),
    "exec": lambda _: os.execv("/bin/true", ["true"]),
    "fork": lambda _: _fork(),
    "leave_group": lambda _: os.setsid(),
    "outlive": lambda _: _prctl(1, 0),
    "dump": lambda _: _prctl(4, 1),
    "more_memory": lambda _: _more(resource.RLIMIT_AS),
    "ring": lambda _: _system_call(425, 8, ctypes.create_string_buffer(120)),
    "namespace": lambda _: _system_call(272, 0x10000000),
    "root": lambda path: os.chroot(path),
    "other_user": lambda _: os.setuid(12345),
}


def attempt(message):
    """Try one thing: `{"came": how far}` or `{"error": the name of the errno}`."""
    import errno

    try:
        return Message({"came": str(ATTEMPTS[message.header["what"]](message.header["on"]))})
    except OSError as error:
        return Message({"error": errno.errorcode.get(error.errno, str(error))})


def ordinary(message):
    """What honest work needs: threads, the clock, memory, its own files, entropy, own scratch."""
    done = []
    threads = [threading.Thread(target=done.append, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    scratch = message.header["scratch"]
    _write(os.path.join(scratch, "mine"))
    os.rename(os.path.join(scratch, "mine"), os.path.join(scratch, "moved"))
    return Message({"threads": len(done), "read": _read(os.path.join(scratch, "moved")), "random": len(os.urandom(8))})


def leave_orphan(message):
    """A grandchild in a session of its own, which the group's signal does not reach."""
    child = subprocess.Popen(["/bin/sh", "-c", "sleep 300"], start_new_session=True)
    return Message({"orphan": child.pid})
