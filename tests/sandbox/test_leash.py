"""Jobs that are ended from outside: at the end of a budget, or because nobody wants their answer any more."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from healing_runtime.core.errors import BudgetSpent, WorkerFailed
from healing_runtime.sandbox.leash import call_off
from healing_runtime.sandbox.messages import Message
from healing_runtime.sandbox.zygote import Job, Limits, Sandbox

JOBS = Path(__file__).parent / "jobs"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(workers=2, modules=("numpy", "sandbox_jobs"), path=[JOBS]) as sandbox:
        sandbox.confinement  # noqa: B018  (waits for the zygote)
        yield sandbox


def job(name, wall_s=60.0, scratch="", **header):
    return Job(f"sandbox_jobs:{name}", Message(header), Limits(wall_s=wall_s, scratch=scratch))


def hanging(sandbox, folder, name="pid"):
    """A job that hangs, and the process that does."""
    file = folder / name
    future = sandbox.submit(job("hang_after", scratch=str(folder), file=str(file)))
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if file.exists() and file.read_text():
            return future, int(file.read_text())
        time.sleep(0.01)
    raise AssertionError("the job did not begin")


def gone(pid):
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_a_job_is_killed_when_the_budget_ends_and_that_is_no_failure_of_its_own(sandbox, tmp_path):
    with sandbox.until(time.monotonic() + 3.0):
        future, pid = hanging(sandbox, tmp_path)
    with pytest.raises(BudgetSpent, match="hang_after was cut off") as caught:
        future.result()
    assert not isinstance(caught.value, WorkerFailed), "a stage that refuses what fails must not take it for one"
    assert gone(pid)
    assert sandbox.run(job("echo")).header, "jobs after it have their own time"


def test_nothing_begins_after_the_budget(sandbox):
    with sandbox.until(time.monotonic()), pytest.raises(BudgetSpent, match="echo was not begun"):
        sandbox.run(job("echo"))


def test_no_budget_waits_for_a_zygote_that_hangs_and_the_zygote_is_not_blamed():
    """Nor does one for a zygote that still starts. Without the budget either wait is half a minute and more."""
    with Sandbox(workers=1, modules=("numpy", "sandbox_jobs"), path=[JOBS]) as starting:
        host = starting._live_host()
        with starting.until(time.monotonic()), pytest.raises(BudgetSpent, match="still starting"):
            starting.run(job("echo"))
        pid = starting.zygote_pid
        os.kill(pid, signal.SIGSTOP)
        try:
            with starting.until(time.monotonic() + 0.5), pytest.raises(BudgetSpent, match="echo was not begun"):
                starting.run(job("echo"))
        finally:
            os.kill(pid, signal.SIGCONT)
        assert starting.run(job("echo")).header
        assert starting._live_host() is host, "it is the same zygote"


def test_an_inner_budget_never_lasts_longer_than_the_outer_one(sandbox):
    with sandbox.until(time.monotonic()), sandbox.until(time.monotonic() + 60), pytest.raises(BudgetSpent):
        sandbox.run(job("echo"))


def test_the_limit_of_a_job_is_still_its_own_failure(sandbox):
    with sandbox.until(time.monotonic() + 60), pytest.raises(WorkerFailed, match="timed out"):
        sandbox.run(job("hang", wall_s=0.3))


def test_what_is_called_off_is_killed_at_once_and_what_waits_never_begins(sandbox, tmp_path):
    running = [hanging(sandbox, tmp_path, name) for name in ("one", "two")]
    waiting = sandbox.submit(job("hang_after", scratch=str(tmp_path), file=str(tmp_path / "three")))
    call_off([*(future for future, _ in running), waiting])
    assert all(gone(pid) for _, pid in running)
    for future, _ in running:
        with pytest.raises(BudgetSpent, match="called off"):
            future.result()
    assert waiting.cancelled() and not (tmp_path / "three").exists()
    done = sandbox.submit(job("echo"))
    done.result()
    call_off([done])
    assert done.result().header, "what is done stays done"
