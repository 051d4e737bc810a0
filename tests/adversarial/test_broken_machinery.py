"""Whatever breaks in a worker, a pipe or a disk: the verdict is a refusal with that reason, or an error that says so.

Never an acceptance, never a hang. What the sandbox makes of each alone is in tests/sandbox.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import signal
import subprocess
import sys
import threading
import time

import gate_kit as kit
import pytest

from healing_runtime.core.errors import SandboxFailed
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import Gate, candidate_of, full
from healing_runtime.gate.records import Resume
from healing_runtime.sandbox.messages import Limits
from healing_runtime.sandbox.zygote import Sandbox

JOBS = {"trace": "trace_job", "export": "build_job", "flights": "fly_job"}
ENDS = {
    "killed": "killed by SIGKILL",
    "killed_by_a_signal_without_a_name": "killed by signal 40",
    "hung": "timed out",
    "stopped": "timed out",
    "late": "timed out",
    "out_of_memory": "ran out of memory",
    "out_of_disk": "File too large|killed by SIGXFSZ",
    "pipe_broken": "without an answer|Bad file descriptor",
    "pipe_half_closed": "hung up without an answer",
    "garbage": "answered outside the schema",
    "giant": "answered outside the schema",
    "empty": "answered outside the schema",
    "all_is_well": "answered outside the schema",
    "other_error": "metres and seconds",
}


class Sabotaged:
    """A sandbox in which one kind of job does something else."""

    def __init__(self, sandbox, job, end):
        self.sandbox, self.job, self.end, self.workers = sandbox, job, end, sandbox.workers

    def submit(self, job):
        if job.function.endswith(self.job):
            limits = Limits(wall_s=1.0 if ENDS[self.end] == "timed out" else 15.0)
            job = dataclasses.replace(job, function=f"sabotage:{self.end}", limits=limits)
        return self.sandbox.submit(job)

    def run(self, job):
        return self.submit(job).result()


@pytest.fixture(scope="module")
def good(sandbox):
    """A good candidate before each of the stages that ask workers, and after the last."""
    context = kit.context(samples=0)
    candidate = candidate_of(kit.proposal(kit.GOOD), kit.incident(), (Resume(0),), context.original)
    before = {}
    for stage, check in full(sandbox, context, KeptPrograms.none()):
        before[stage.value] = candidate
        candidate = check(candidate)
        assert not candidate.refused, candidate.stages[-1]
    return context, before


def every_end_at_every_stage():
    """Every end at one stage at least, and those that matter most at each; the whole table is slow."""
    for i, end in enumerate(ENDS):
        for j, stage in enumerate(JOBS):
            often = end in ("killed", "hung", "all_is_well") or i % len(JOBS) == j
            yield pytest.param(stage, end, marks=[] if often else [pytest.mark.slow])


@pytest.mark.parametrize(("stage", "end"), list(every_end_at_every_stage()))
def test_a_worker_that_ends_badly_refuses_the_patch_with_its_reason(sandbox, good, stage, end):
    context, before = good
    stages = dict(full(Sabotaged(sandbox, JOBS[stage], end), context, KeptPrograms.none()))
    started = time.monotonic()
    found = stages[stage](before[stage]).stages[-1]
    assert time.monotonic() - started < 12
    assert not found.accepted and found.stage.value == stage
    assert any(words in found.reason for words in ENDS[end].split("|")), found.reason


def test_a_zygote_killed_in_the_middle_is_no_verdict_and_the_next_attempt_gets_one(good):
    context, before = good
    with Sandbox(workers=2, modules=("sabotage",), path=[os.path.dirname(__file__)]) as alone:
        stages = dict(full(Sabotaged(alone, "fly_job", "killed"), context, KeptPrograms.none()))
        hanging = dict(full(Sabotaged(alone, "fly_job", "hung"), context, KeptPrograms.none()))
        zygote = alone.zygote_pid
        threading.Timer(0.3, os.kill, (zygote, signal.SIGKILL)).start()
        with pytest.raises(SandboxFailed, match="the zygote died"):
            hanging["flights"](before["flights"])
        assert "killed by SIGKILL" in stages["flights"](before["flights"]).stages[-1].reason
        assert alone.zygote_pid != zygote


def test_a_zygote_that_hangs_in_the_middle_is_no_verdict_and_is_replaced(good, monkeypatch):
    context, before = good
    for wait_s in ("FORK_S", "EXIT_S"):
        monkeypatch.setattr(f"healing_runtime.sandbox.host.{wait_s}", 2.0)
    with Sandbox(workers=2, modules=("sabotage",), path=[os.path.dirname(__file__)]) as alone:
        stages = dict(full(Sabotaged(alone, "fly_job", "killed"), context, KeptPrograms.none()))
        zygote = alone.zygote_pid
        os.kill(zygote, signal.SIGSTOP)
        with pytest.raises(SandboxFailed, match=r"no worker could be had|the zygote died"):
            stages["flights"](before["flights"])
        assert "killed by SIGKILL" in stages["flights"](before["flights"]).stages[-1].reason
        assert alone.zygote_pid != zygote


def test_a_machine_without_descriptors_has_no_workers(sandbox, good, monkeypatch):
    def none_left(*_):
        raise OSError(24, "Too many open files")

    context, before = good
    stages = dict(full(sandbox, context, KeptPrograms.none()))
    with monkeypatch.context() as patch:
        patch.setattr("healing_runtime.sandbox.host.socket.socketpair", none_left)
        with pytest.raises(SandboxFailed, match=r"no worker could be had: .*Too many open files"):
            stages["trace"](before["trace"])
    with monkeypatch.context() as patch:
        patch.setattr("healing_runtime.sandbox.host.os.memfd_create", none_left)
        with pytest.raises(SandboxFailed, match="no worker could be had"):
            stages["trace"](before["trace"])
    assert not stages["trace"](before["trace"]).refused


FULL_DISK = """
import resource, sys
from pathlib import Path
from healing_runtime.core.errors import HealingError
from healing_runtime.ledger.store import Ledger
from healing_runtime.telemetry.record import RunFolder
folder = Path(sys.argv[1])
with Ledger(folder / "ledger.sqlite3") as ledger:
    ledger.record_run("r", {})
    ledger.record_incident("i", "r", {})
    run = RunFolder.create(folder, "a/b")
    if sys.argv[2] == "limited":
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
    for write in (
        lambda: ledger.record_attempt("i", "r", 1, {"source": "x" * 200_000}),
        lambda: run.write_incident("i", "patch.json", {"source": "x" * 200_000}),
    ):
        try:
            write()
        except HealingError as error:
            print(type(error).__name__, str(error).count(chr(10)))
    print(ledger.incident("i")["attempts"], sorted(p.name for p in (run.path / "incidents").glob("*/*")))
"""


def test_a_full_disk_is_an_error_and_leaves_no_half_of_an_entry(tmp_path):
    """A patch is on record before it flies, so where the record cannot be written it does not fly."""
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path), "limited"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["RecordNotWritten 0", "RecordNotWritten 0", "[] []"], done


def test_a_disk_without_room_is_an_error_and_leaves_no_half_of_an_entry(tmp_path):
    """The same on a file system that is full, where one may be mounted."""
    small = f"mount -t tmpfs -o size=256k none {shlex.quote(str(tmp_path))} || exit 99; "
    inside = small + shlex.join(["exec", sys.executable, "-c", FULL_DISK, str(tmp_path), "full"])
    command = ["unshare", "--mount", "sh", "-c", inside]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip("no file system may be mounted here")
    assert done.stdout.splitlines() == ["RecordNotWritten 0", "RecordNotWritten 0", "[] []"], done


@pytest.mark.slow
@pytest.mark.parametrize("kib", [4, 40, 200])
def test_a_run_on_a_full_disk_ends_with_one_line(tmp_path, kib):
    command = f"ulimit -f {kib}; exec {sys.executable} -m healing_runtime run lander/neuro_lander --out {tmp_path}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in (2, 4) and done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("heal: ") and "Traceback" not in done.stderr


def test_a_gate_whose_workers_all_lie_accepts_nothing(sandbox):
    for job in JOBS.values():
        gate = Gate(Sabotaged(sandbox, job, "all_is_well"), kit.context(samples=0), KeptPrograms.none())
        decision = gate.judge(kit.proposal(kit.GOOD), kit.incident(), (Resume(0),))
        assert not decision.accepted and gate.program is None
