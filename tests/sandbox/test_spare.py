"""A zygote that waits for the next sandbox: when it is handed on, when it is not, and that it never stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from healing_runtime.core.errors import SandboxFailed
from healing_runtime.sandbox import spare as spares
from healing_runtime.sandbox.messages import Job, Limits, Message
from healing_runtime.sandbox.spare import Spare
from healing_runtime.sandbox.zygote import Sandbox

JOBS = Path(__file__).parent / "jobs"
MODULES = ("sandbox_jobs",)


@pytest.fixture
def spare():
    room = Spare()
    yield room
    room.empty()


def sandbox(spare, modules=MODULES):
    return Sandbox(1, modules, [JOBS], spare)


def used(spare, modules=MODULES):
    """The zygote of a sandbox that did a job and is closed."""
    with sandbox(spare, modules) as box:
        pid = box.zygote_pid
        assert box.run(Job("sandbox_jobs:echo", Message({"x": 1}))).header == {"got": {"x": 1}}
    return pid


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_next_sandbox_has_the_same_zygote_and_workers_of_its_own(spare):
    first = used(spare)
    assert alive(first)
    with sandbox(spare) as second:
        assert second.zygote_pid == first and second.confinement
        workers = {second.run(Job("sandbox_jobs:pid")).header["pid"] for _ in range(2)}
        assert len(workers) == 2 and first not in workers
        with sandbox(spare) as beside:
            assert beside.zygote_pid != first, "nobody shares one"
            others = beside.zygote_pid
    assert alive(others) != alive(first), "there is room for one"
    spare.empty()
    assert not alive(first) and not alive(others)


def other_environment(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false")


def other_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})


def no_change(monkeypatch):
    pass


@pytest.mark.parametrize(
    ("change", "modules"), [(other_environment, MODULES), (other_cores, MODULES), (no_change, (*MODULES, "json"))]
)
def test_one_of_another_origin_is_stopped(spare, monkeypatch, change, modules):
    first = used(spare)
    change(monkeypatch)
    with sandbox(spare, modules) as second:
        assert second.zygote_pid != first and not alive(first)


def test_one_with_a_job_is_stopped(spare, tmp_path):
    box = sandbox(spare)
    pid = box.zygote_pid
    given = Job("sandbox_jobs:hang_after", Message({"file": str(tmp_path / "pid")}), Limits(scratch=str(tmp_path)))
    future = box.submit(given)
    while not (tmp_path / "pid").exists():
        time.sleep(0.01)
    box.close()
    assert not alive(pid)
    with pytest.raises(SandboxFailed):
        future.result()


def test_one_that_failed_is_not_handed_on(spare, monkeypatch):
    box = sandbox(spare)
    pid = box.zygote_pid
    monkeypatch.setitem(box._host._greeting, "words", ["less than the others"])
    with pytest.raises(SandboxFailed, match="confined by less"):
        box.run(Job("sandbox_jobs:echo"))
    box.close()
    assert not alive(pid)


def test_one_that_died_while_it_waited_is_replaced(spare):
    first = used(spare)
    os.kill(first, signal.SIGKILL)
    assert spare._host.dead.wait(10)
    assert used(spare) != first


def test_nobody_waits_for_ever(spare, monkeypatch):
    monkeypatch.setattr(spares, "KEPT_S", 0.01)
    first = used(spare)
    while alive(first):
        time.sleep(0.01)
    assert spare.take(None) is None


LIFE = """
import os, sys, time
from healing_runtime.sandbox.spare import SPARE
from healing_runtime.sandbox.zygote import Job, Message, Sandbox

def zygote():
    with Sandbox(1, ("sandbox_jobs",), [sys.argv[1]], SPARE) as box:
        assert box.run(Job("sandbox_jobs:echo", Message({"x": 1}))).header == {"got": {"x": 1}}
        while not box._host.idle():
            time.sleep(0.01)
        return box.zygote_pid

first = zygote()
if os.fork() == 0:
    sys.exit(SPARE._host is not None)
assert os.wait()[1] == 0, "a child has its parent's zygote"
assert zygote() == first, "a child stopped its parent's zygote"
print(first)
"""


def test_it_is_its_process_own_and_ends_with_it():
    command = [sys.executable, "-c", LIFE, str(JOBS)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not alive(int(ended.stdout))


def test_one_that_was_killed_a_moment_ago_costs_no_job(spare):
    for _ in range(3):
        first = used(spare)
        os.kill(first, signal.SIGKILL)
        with sandbox(spare) as box:
            assert box.run(Job("sandbox_jobs:echo", Message({"x": 1}))).header == {"got": {"x": 1}}
            assert box.zygote_pid != first
