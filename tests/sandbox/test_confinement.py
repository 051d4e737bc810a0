"""What a worker cannot do once it is confined. Where the kernel has Landlock and seccomp these fail without them."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from healing_runtime.core.errors import InputError, SandboxFailed
from healing_runtime.core.records import Policy
from healing_runtime.sandbox import confinement, landlock, namespaces
from healing_runtime.sandbox.messages import Message
from healing_runtime.sandbox.zygote import Job, Limits, Sandbox

JOBS = Path(__file__).parent / "jobs"
pytestmark = pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
NO_FILE, NO_CALL = {"EACCES"}, {"EPERM"}
ON_A_FILE = {
    "read": NO_FILE, "write": NO_FILE, "remove": NO_FILE, "rename": NO_FILE, "link": NO_FILE, "truncate": NO_FILE,
    "chmod": NO_CALL, "touch": NO_CALL, "through_proc": NO_FILE, "through_cwd": NO_FILE,
}  # fmt: skip
ON_A_PROCESS = {
    "environment_of": NO_FILE, "memory_of": NO_FILE, "processes": NO_FILE, "kill": NO_CALL, "kill_group": NO_CALL,
    "trace": NO_CALL,
}  # fmt: skip
ON_ITSELF = (
    "socket", "unix_socket", "program", "exec", "fork", "leave_group", "outlive", "dump", "more_memory", "ring",
    "namespace", "other_user",
)  # fmt: skip


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(workers=2, modules=("outside_jobs",), path=[JOBS]) as sandbox:
        yield sandbox


def tried(sandbox, what, on=""):
    return sandbox.run(Job("outside_jobs:attempt", Message({"what": what, "on": str(on)}))).header


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text("GEMINI_API_KEY=very-secret")
    return path


@pytest.fixture(scope="module")
def bystander():
    """A process of the same user, with a key in its environment, as a supervisor has it."""
    code = "import time; print(1, flush=True); time.sleep(600)"
    environment = {**os.environ, "GEMINI_API_KEY": "very-secret"}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline()
        yield process
        process.kill()


def test_the_strictest_level_is_reached_and_said(sandbox):
    assert confinement.missing(sandbox.confinement) == ()


@pytest.mark.parametrize("what", ON_A_FILE)
def test_files_that_were_not_given_are_out_of_reach(sandbox, secret, what):
    before = (secret.read_text(), secret.stat().st_mode, secret.stat().st_mtime_ns)
    assert tried(sandbox, what, secret).get("error") in ON_A_FILE[what]
    assert (secret.read_text(), secret.stat().st_mode, secret.stat().st_mtime_ns) == before
    assert [p.name for p in secret.parent.iterdir()] == ["secret"]


@pytest.mark.parametrize("what", ON_A_PROCESS)
def test_other_processes_are_out_of_reach(sandbox, bystander, what):
    assert tried(sandbox, what, bystander.pid).get("error") in ON_A_PROCESS[what]
    assert bystander.poll() is None


def test_the_supervisor_is_out_of_reach(sandbox):
    for pid in (os.getpid(), sandbox.zygote_pid):
        assert tried(sandbox, "environment_of", pid) == {"error": "EACCES"}
        assert tried(sandbox, "kill", pid) == {"error": "EPERM"}


@pytest.mark.parametrize("what", ON_ITSELF)
def test_what_would_lead_out_of_the_confinement_is_refused(sandbox, what):
    assert tried(sandbox, what).get("error") in NO_CALL


def test_the_checkout_itself_is_not_readable(sandbox):
    root = Path(__file__).resolve().parents[2]
    assert tried(sandbox, "list", root) == {"error": "EACCES"}
    assert tried(sandbox, "read", root / "pyproject.toml") == {"error": "EACCES"}
    assert "came" in tried(sandbox, "read", root / "healing_runtime" / "__init__.py"), "its own package is"


def test_what_is_given_can_be_read_and_no_more(sandbox, secret):
    given = Job("outside_jobs:attempt", Message({"what": "read", "on": str(secret)}), Limits().reading(secret.parent))
    assert "very-secret" in sandbox.run(given).header["came"]
    given = Job("outside_jobs:attempt", Message({"what": "write", "on": str(secret)}), Limits().reading(secret.parent))
    assert sandbox.run(given).header == {"error": "EACCES"}


def test_honest_work_goes_on(sandbox, tmp_path):
    limits = Limits(scratch=str(tmp_path))
    header = sandbox.run(Job("outside_jobs:ordinary", Message({"scratch": str(tmp_path)}), limits)).header
    assert header == {"threads": 8, "read": "here", "random": 8}
    assert [p.name for p in tmp_path.iterdir()] == ["moved"]


ALLOWED = """
from healing_runtime.sandbox.namespaces import NEW_NET, NEW_USER, allowed
both = allowed(NEW_USER | NEW_NET)
print("user_ns net_ns" if both else "net_ns" if allowed(NEW_NET) else "")
"""


def test_where_it_is_allowed_workers_have_a_user_and_a_network_of_their_own(sandbox):
    done = subprocess.run([sys.executable, "-c", ALLOWED], capture_output=True, text=True, timeout=60, check=True)
    allowed = set(done.stdout.split())
    assert allowed <= set(sandbox.confinement.split("+"))
    for word, kind in (("user_ns", "user"), ("net_ns", "net")):
        apart = tried(sandbox, "apart", kind)["came"] != os.readlink(f"/proc/self/ns/{kind}")
        assert apart == (word in sandbox.confinement.split("+")), "what is said is what is"
    assert namespaces.entered() == "", "the supervisor stays where it is"


def test_a_machine_without_them_says_so_and_kills_what_is_left_behind():
    """What namespaces alone hold back is seen where nothing else does."""
    with (
        Sandbox(workers=1, modules=("bare", "outside_jobs"), path=[JOBS]) as bare,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        assert confinement.missing(bare.confinement) == ("landlock", "seccomp")
        if "net_ns" in bare.confinement:
            assert tried(bare, "interfaces")["came"] == "lo"
            assert tried(bare, "connect", server.getsockname()[1]) == {"error": "ENETUNREACH"}
        if "user_ns" in bare.confinement:
            assert tried(bare, "host_name") == {"error": "EPERM"}
        orphan = bare.run(Job("outside_jobs:leave_orphan")).header["orphan"]
        end = time.monotonic() + 5
        while Path(f"/proc/{orphan}").exists() and time.monotonic() < end:
            time.sleep(0.01)
        assert not Path(f"/proc/{orphan}").exists()


def test_a_worker_that_achieves_less_says_so_and_gets_no_job():
    """Which is the machine's fault and never a patch's."""
    with Sandbox(workers=1, modules=("uneven", "outside_jobs"), path=[JOBS]) as uneven:
        assert "fickle" in uneven.confinement
        job = Job("outside_jobs:attempt", Message({"what": "write", "on": "/dev/null"}))
        assert uneven.run(job).header == {"came": "None"}
        for file_bytes, words in ((4002, "confined by less than the others"), (4001, "refused by the kernel")):
            with pytest.raises(SandboxFailed, match=words):
                uneven.run(dataclasses.replace(job, limits=Limits(file_bytes=file_bytes)))


def test_a_scenario_may_require_the_strictest_level(sandbox):
    required, preferred = Policy(confinement="required"), Policy()
    confinement.refuse_weak(required, sandbox.confinement)
    confinement.refuse_weak(preferred, "process+clean_env")
    with pytest.raises(InputError, match=r"without seccomp; seccomp wants the system's libseccomp"):
        confinement.refuse_weak(required, "process+clean_env+landlock")
