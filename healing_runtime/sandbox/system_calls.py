"""What a worker may not ask of the kernel: a seccomp filter, built with libseccomp.

The rest is allowed, for what XLA and Python need differs from version to version; everything here answers EPERM, but
`clone3`, which answers ENOSYS so that the C library makes its threads with `clone`, whose flags a filter can read.
"""

from __future__ import annotations

import errno
import os
from typing import Any

FORBIDDEN = {
    "programs": ("execve", "execveat"),
    "processes": ("fork", "vfork"),
    "the group in which it is killed": ("setpgid", "setsid"),
    "sockets": ("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4"),
    "other processes": (
        "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_open", "pidfd_getfd",
        "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "tkill", "migrate_pages", "move_pages",
    ),
    "namespaces and mounts": (
        "unshare", "setns", "chroot", "pivot_root", "mount", "umount2", "open_tree", "move_mount", "fsopen", "fsconfig",
        "fsmount", "fspick", "mount_setattr",
    ),
    "files past their names": ("open_by_handle_at", "name_to_handle_at"),
    "rights and times of files, which Landlock does not see": (
        "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "setxattr", "lsetxattr",
        "fsetxattr", "removexattr", "lremovexattr", "fremovexattr", "utime", "utimes", "futimesat", "utimensat",
    ),
    "the kernel": (
        "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl",
        "add_key", "request_key", "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load",
        "reboot", "swapon", "swapoff", "syslog", "acct", "quotactl", "quotactl_fd", "iopl", "ioperm", "personality",
        "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname", "vhangup",
        "fanotify_init",
    ),
    "memory and queues shared with others": (
        "shmget", "shmat", "shmctl", "semget", "semop", "semctl", "semtimedop", "msgget", "msgsnd", "msgrcv", "msgctl",
        "mq_open", "mq_unlink",
    ),
    "other users": ("setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "capset"),
}  # fmt: skip
"""By what they are for; one that this machine's libseccomp does not know is left out."""

_CLONE_THREAD = 0x10000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4


def library() -> Any:
    """The binding of libseccomp, or None where the library is not installed."""
    try:
        import pyseccomp
    except (ImportError, RuntimeError):
        return None
    return pyseccomp


def restrict(seccomp: Any) -> None:
    """Load the filter, for good and for every thread to come. OSError if the kernel refuses; wants `no_new_privs`."""
    deny = seccomp.ERRNO(errno.EPERM)
    filter_ = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in (name for names in FORBIDDEN.values() for name in names):
        if seccomp.resolve_syscall(seccomp.Arch.NATIVE, name) >= 0:
            filter_.add_rule(deny, name)
    filter_.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    filter_.add_rule(deny, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, _CLONE_THREAD, 0))
    own = os.getpid()
    for name in ("kill", "tgkill"):
        filter_.add_rule(deny, name, seccomp.Arg(0, seccomp.NE, own))
    for option in (_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE):
        filter_.add_rule(deny, "prctl", seccomp.Arg(0, seccomp.EQ, option))
    filter_.add_rule(deny, "prlimit64", seccomp.Arg(2, seccomp.NE, 0))
    filter_.add_rule(deny, "setrlimit")
    filter_.load()
