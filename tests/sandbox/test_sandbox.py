from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from healing_runtime.core.errors import SandboxFailed, SubsetError, WorkerFailed
from healing_runtime.sandbox.confinement import MOST_THREADS
from healing_runtime.sandbox.messages import FrameError, Message, pack, unpack
from healing_runtime.sandbox.zygote import MOST_WORKERS, Job, Limits, Sandbox

JOBS = Path(__file__).parent / "jobs"
MODULES = ("numpy", "sandbox_jobs")


@pytest.fixture(scope="module")
def sandbox():
    os.environ["GEMINI_API_KEY"] = "very-secret"
    try:
        with Sandbox(workers=2, modules=MODULES, path=[JOBS]) as sandbox:
            yield sandbox
    finally:
        del os.environ["GEMINI_API_KEY"]


def job(name, header=None, blobs=(), wall_s=20.0, **limits):
    return Job(f"sandbox_jobs:{name}", Message(header or {}, blobs), Limits(wall_s=wall_s, **limits))


def gone(pid, within_s=5.0):
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z" and not str(pid).startswith("-"):
            return True
        time.sleep(0.01)
    return False


def wait_for(path, within_s=10.0):
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.01)
    raise AssertionError(f"{path} did not appear")


# ---------------------------------------------------------------- ordinary life
def test_answers_with_header_and_blobs(sandbox):
    big = os.urandom(3 << 20)
    answer = sandbox.run(job("echo", {"a": 1, "text": "ünï", "inf": float("inf")}, (b"", big)))
    assert answer.header == {"got": {"a": 1, "text": "ünï", "inf": "inf"}}
    assert answer.blobs == (big, b"")


def test_every_job_has_a_process_of_its_own(sandbox):
    answers = [f.result().header for f in [sandbox.submit(job("pid")) for _ in range(6)]]
    assert len({a["pid"] for a in answers}) == 6
    assert all(a["pid"] == a["group"] and a["threads"] == 1 for a in answers)
    assert all(gone(a["pid"]) for a in answers)


def test_no_key_reaches_a_worker(sandbox):
    header = sandbox.run(job("surroundings")).header
    assert "very-secret" not in json.dumps(header)
    assert "GEMINI_API_KEY" not in header["at_exec"]
    assert header["environ"]["NPROC"] == "1" and header["environ"]["JAX_PLATFORMS"] == "cpu"
    assert header["descriptors"] <= 5, "a worker inherits its own socket and output only"


def test_confinement_is_stated_and_real(sandbox):
    header = dict(sandbox.run(job("own_limits", file_bytes=1 << 20)).header)
    threads = header.pop("threads")
    assert "user_ns" not in sandbox.confinement or 0 < threads <= MOST_THREADS
    assert header == {"core": 0, "file": 1 << 20, "no_new_privs": "1"}
    assert {"rlimits", "no_new_privs", "not_dumpable", "pdeathsig"} <= set(sandbox.confinement.split("+"))


def test_input_error_comes_back_as_itself(sandbox):
    with pytest.raises(SubsetError) as caught:
        sandbox.run(job("refuse"))
    assert str(caught.value) == "a.py:3:7: a loop without an end"


def test_jax_starts_its_backend_in_the_worker_only():
    with Sandbox(workers=1, modules=("jax", "sandbox_jobs"), path=[JOBS]) as sandbox:
        header = sandbox.run(job("backend")).header
    assert header == {"before": False, "platform": "cpu", "nproc": "1"}


# ---------------------------------------------------------------- bad ends
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("kill_myself", "killed by SIGKILL"),
        ("real_time_signal", "killed by signal 40"),
        ("flood_output", "killed by SIGXFSZ|File too large"),
        ("crash", "killed by SIGABRT: .*on fire"),
        ("leave", "exited with status 7"),
        ("eat_memory", "ran out of memory"),
        ("fail", r"sandbox_jobs:fail raised: KeyError: 'missing"),
        ("not_a_message", "raised|exited"),
        ("no_such_function", "raised: ValueError: .*is not a function"),
        ("garbage", "answered outside the schema"),
        ("huge_frame", "answered outside the schema"),
        ("giant_header", "answered outside the schema: the frame announces more"),
        ("giant_blob", "answered outside the schema: the frame announces more"),
        ("pickle_bomb", "answered outside the schema"),
        ("forged_reply", r"answered outside the schema|\?\[2Jforged"),
        ("half_a_frame", "exited with status 0 without an answer"),
    ],
)
def test_bad_ends_are_told_apart(sandbox, name, reason):
    started = time.monotonic()
    with pytest.raises((WorkerFailed, SubsetError.__base__), match=f"(?s){reason}") as caught:
        sandbox.run(job(name))
    assert time.monotonic() - started < 10
    assert "\x1b" not in str(caught.value)
    assert sandbox.run(job("echo")).header == {"got": {}}, "the sandbox lives on"


@pytest.mark.parametrize("name", ["hang", "spin", "stopped", "drips"])
def test_a_hung_worker_is_killed_on_time(sandbox, name, tmp_path):
    started = time.monotonic()
    with pytest.raises(WorkerFailed, match=r"timed out: .* more than 0.3 s"):
        sandbox.run(job(name, wall_s=0.3))
    assert 0.25 < time.monotonic() - started < 10


def test_a_worker_answers_once_and_in_time(sandbox):
    """What comes after the first answer is nobody's, and what comes after the deadline is none."""
    assert [sandbox.run(job("answers_twice")).header for _ in range(3)] == [{"number": 1}] * 3
    with pytest.raises(WorkerFailed, match="timed out"):
        sandbox.run(job("answers_late", {"seconds": 0.5}, wall_s=0.2))
    assert sandbox.run(job("echo")).header == {"got": {}}


def test_a_zygote_that_hangs_is_replaced(monkeypatch):
    monkeypatch.setattr("healing_runtime.sandbox.host.FORK_S", 0.5)
    monkeypatch.setattr("healing_runtime.sandbox.host.EXIT_S", 0.5)
    with Sandbox(workers=1, modules=MODULES, path=[JOBS]) as sandbox:
        first = sandbox.zygote_pid
        os.kill(first, signal.SIGSTOP)
        with pytest.raises(SandboxFailed, match=r"the zygote forked none in 0\.5 s"):
            sandbox.run(job("echo"))
        assert gone(first)
        monkeypatch.setattr("healing_runtime.sandbox.host.FORK_S", 30.0)
        assert sandbox.run(job("echo")).header == {"got": {}}


def test_hung_worker_process_is_really_dead(sandbox, tmp_path):
    with pytest.raises(WorkerFailed, match="timed out"):
        sandbox.run(job("hang_after", {"file": str(tmp_path / "pid")}, wall_s=0.5, scratch=str(tmp_path)))
    assert gone(int((tmp_path / "pid").read_text()))


def test_cpu_time_is_limited(sandbox):
    with pytest.raises(WorkerFailed, match="spent its CPU time"):
        sandbox.run(job("spin", cpu_s=1, wall_s=10))


def test_file_size_is_limited(sandbox, tmp_path):
    with pytest.raises(WorkerFailed, match=r"File too large|SIGXFSZ"):
        sandbox.run(job("write_big_file", {"file": str(tmp_path / "big")}, file_bytes=1 << 20, scratch=str(tmp_path)))
    assert (tmp_path / "big").stat().st_size <= 1 << 20


def test_no_more_workers_run_at_once_than_were_asked_for(sandbox):
    futures = [sandbox.submit(job("work_a_while", {"seconds": 0.1})) for _ in range(6)]
    spans = [future.result().header for future in futures]
    at_once = [sum(s["from"] <= moment["from"] < s["to"] for s in spans) for moment in spans]
    assert max(at_once) <= 2


@pytest.mark.parametrize("workers", [0, -1, MOST_WORKERS + 1])
def test_a_number_of_workers_out_of_range_is_refused(workers):
    with pytest.raises(ValueError, match=f"1 to {MOST_WORKERS} workers, not {workers}"):
        Sandbox(workers=workers)


@pytest.mark.parametrize(
    "limit", [{"wall_s": 0.0}, {"cpu_s": float("inf")}, {"memory_bytes": -1}, {"wall_s": float("nan")}]
)
def test_limits_that_are_none_are_refused(limit):
    with pytest.raises(ValueError, match=f"{next(iter(limit))} of a job is .*; give a number above 0"):
        Limits(**limit)


def test_zygote_death_fails_its_jobs_and_the_next_job_gets_a_new_one(tmp_path):
    with Sandbox(workers=2, modules=MODULES, path=[JOBS]) as sandbox:
        future = sandbox.submit(job("hang_after", {"file": str(tmp_path / "pid")}, scratch=str(tmp_path)))
        worker = int(wait_for(tmp_path / "pid"))
        first = sandbox.zygote_pid
        os.kill(first, signal.SIGKILL)
        with pytest.raises(WorkerFailed, match="the zygote died: killed by SIGKILL"):
            future.result(timeout=10)
        assert gone(worker)
        assert sandbox.run(job("echo")).header == {"got": {}}
        assert sandbox.zygote_pid != first


def test_zygote_that_cannot_start_says_why(tmp_path):
    (tmp_path / "leaves_at_import.py").write_text("import os\nos.write(2, b'no such luck')\nos._exit(3)\n")
    with (
        Sandbox(workers=1, modules=("leaves_at_import",), path=[tmp_path]) as sandbox,
        pytest.raises(WorkerFailed, match="the zygote did not start: no such luck"),
    ):
        sandbox.run(Job("leaves_at_import:x"))


def test_zygote_with_a_second_thread_does_not_fork(tmp_path):
    (tmp_path / "starts_thread.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    with (
        Sandbox(workers=1, modules=("starts_thread",), path=[tmp_path]) as sandbox,
        pytest.raises(WorkerFailed, match="starts threads"),
    ):
        sandbox.run(Job("starts_thread:x"))


def test_closing_fails_what_is_in_flight(tmp_path):
    sandbox = Sandbox(workers=1, modules=MODULES, path=[JOBS])
    future = sandbox.submit(job("hang_after", {"file": str(tmp_path / "pid")}, scratch=str(tmp_path)))
    waiting = sandbox.submit(job("echo"))
    worker = int(wait_for(tmp_path / "pid"))
    sandbox.close()
    sandbox.close()
    with pytest.raises(WorkerFailed):
        future.result(timeout=1)
    assert waiting.cancelled()
    assert gone(worker)
    with pytest.raises(WorkerFailed, match="closed"):
        sandbox.run(job("echo"))


PARENT = """
import sys
from pathlib import Path
from healing_runtime.sandbox.zygote import Job, Limits, Message, Sandbox
sandbox = Sandbox(workers=1, modules=("sandbox_jobs",), path=[sys.argv[1]])
limits = Limits(scratch=str(Path(sys.argv[2]).parent))
future = sandbox.submit(Job("sandbox_jobs:hang_after", Message({"file": sys.argv[2]}), limits))
print(sandbox.zygote_pid, flush=True)
future.result()
"""


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM])
def test_the_supervisors_death_kills_everything(tmp_path, sig):
    command = [sys.executable, "-c", PARENT, str(JOBS), str(tmp_path / "pid")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        zygote = int(parent.stdout.readline())
        worker = int(wait_for(tmp_path / "pid"))
        parent.send_signal(sig)
        parent.wait(timeout=10)
    assert gone(worker) and gone(zygote)


# ---------------------------------------------------------------- frames
def test_frames_round_trip_and_refuse_what_is_not_one():
    message = Message({"x": [1, 2.5, None]}, (b"a", b""))

    def reader(data):
        position = 0

        def read(count):
            nonlocal position
            part = data[position : position + count]
            position += count
            if len(part) < count:
                raise EOFError
            return part

        return read

    assert unpack(reader(pack(message))) == message
    with pytest.raises(FrameError):
        unpack(reader(pack(message).replace(b'{"x"', b'["x"', 1)))
    with pytest.raises(FrameError):
        unpack(reader(pack(message).replace(b"2.5", b"NaN", 1)))
    with pytest.raises(EOFError):
        unpack(reader(pack(message)[:-1]))
    with pytest.raises(FrameError):
        unpack(reader(b"XXXX" + pack(message)[4:]))
