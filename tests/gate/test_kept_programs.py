"""Programs of earlier runs: used where everything is equal, built again wherever anything is not."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import shutil
from pathlib import Path

import gate_kit as kit
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from healing_runtime.compile import cache as caches
from healing_runtime.compile import key, programs, wire
from healing_runtime.compile.cache import Cache
from healing_runtime.compile.interface import ControllerInterface
from healing_runtime.core.errors import SandboxFailed
from healing_runtime.core.plant import Plant
from healing_runtime.core.signals import Layout
from healing_runtime.core.status import Stage
from healing_runtime.gate.build import ask_build, ask_trace, exporter, load_job
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import Gate, candidate_of
from healing_runtime.gate.records import Resume, Traced
from healing_runtime.ledger.store import Ledger
from healing_runtime.loop.rollout import FlightPlan, fly
from healing_runtime.sandbox.messages import Message
from healing_runtime.workspace.plants import load_robot

COURSE = kit.course()


@pytest.fixture(scope="module")
def exported(sandbox):
    source = kit.source(kit.GOOD)
    return ask_trace(sandbox, source, source, COURSE, kit.TABLE).exported


@pytest.fixture(scope="module")
def built(sandbox, exported):
    return ask_build(sandbox, exported, COURSE, kit.TABLE, KeptPrograms.none())


class Builders:
    """Stands where a sandbox stands: counts the builds, and answers every time with the same executable.

    What is said of it is what was asked for, or the gate would take it for another controller's.
    """

    def __init__(self, program):
        self.jobs, self.program = [], program

    def run(self, job):
        if job.function == "healing_runtime.gate.build:load_job":
            return load_job(received(job.message))
        self.jobs.append(job)
        header, program = received(job.message).header, self.program
        controller = kit.codec.read(ControllerInterface, header["exported"]["interface"])
        hz = header["request"]["control_hz"]
        interface = dataclasses.replace(program.interface, controller=controller, control_hz=hz)
        said = programs.blob(program.executable, interface, program.params, program.carry)
        return received(Message(*wire.blob_message(said)))


def received(message):
    """A message as it comes out of a pipe."""
    return dataclasses.replace(message, header=json.loads(json.dumps(kit.codec.plain(message.header))))


@pytest.fixture
def builders(built):
    return Builders(built)


@pytest.fixture
def home(tmp_path):
    """A ledger that is there, and a cache."""
    with Ledger(tmp_path / "runs/ledger.sqlite3"):
        pass
    return tmp_path


def kept_in(home, **kwargs):
    return KeptPrograms(home / "runs/ledger.sqlite3", Cache(home / "cache"), **kwargs)


def ask(builders, exported, home, course=COURSE, table=kit.TABLE):
    with kept_in(home) as kept:
        return ask_build(builders, exported, course, table, kept)


# ---------------------------------------------------------------- hit and miss
def test_a_program_is_built_once(builders, exported, home, built):
    for _ in range(3):
        program = ask(builders, exported, home)
        assert program.sha256 == built.sha256 and program.executable == built.executable
        assert program.interface == built.interface
        np.testing.assert_array_equal(program.carry.floats, built.carry.floats)
    assert len(builders.jobs) == 1


def changed_scenario(**fields):
    scenario = dataclasses.replace(COURSE.scenario, **fields)
    return lambda e: (e, dataclasses.replace(COURSE, scenario=scenario), kit.TABLE)


def changed_table(exported):
    signal = dataclasses.replace(kit.TABLE.action.signals[0], high=19.0)
    return exported, COURSE, dataclasses.replace(kit.TABLE, action=Layout((signal,)))


PARTS = {
    "the source": lambda e: (
        dataclasses.replace(e, interface=dataclasses.replace(e.interface, source_sha256="sha256:1")),
        COURSE,
        kit.TABLE,
    ),
    "control": lambda e: (dataclasses.replace(e, control=e.control + b"\0"), COURSE, kit.TABLE),
    "contract": lambda e: (dataclasses.replace(e, contract=e.contract + b"\0"), COURSE, kit.TABLE),
    "a parameter": lambda e: (dataclasses.replace(e, params=np.nextafter(e.params, np.float32(9))), COURSE, kit.TABLE),
    "the first memory": lambda e: (
        dataclasses.replace(e, state=e.state._replace(floats=e.state.floats + np.float32(1))),
        COURSE,
        kit.TABLE,
    ),
    "an assertion": lambda e: (e, kit.course(files=kit.assertions(floor="0.9 m")), kit.TABLE),
    "the mission": changed_scenario(mission=None),
    "the rate": changed_scenario(control_hz=25),
    "the dtype": changed_scenario(dtype="float64"),
    "the table": changed_table,
}


@pytest.mark.parametrize("change", PARTS.values(), ids=PARTS)
def test_another_program_is_built(builders, exported, home, change):
    ask(builders, exported, home)
    other, course, table = change(exported)
    ask(builders, other, home, course, table)
    assert len(builders.jobs) == 2


MACHINE = [
    "device",
    "cpu_model",
    "cpu_features",
    "jax",
    "jaxlib",
    "python",
    "libm",
    "numpy",
    "pint",
    "healing_runtime",
    "code",
    "xla_flags",
    "nproc",
]


def test_the_machine_and_the_versions_are_in_the_key():
    here = key.machine()
    assert set(MACHINE) <= set(here) and all(here[part] for part in MACHINE if part != "xla_flags")
    told = [key.key_of({}, (), {**here, part: "another"}) for part in MACHINE]
    assert len({key.key_of({}, (), here), *told}) == len(MACHINE) + 1


def test_another_flag_of_xla_builds(builders, exported, home, monkeypatch):
    """Read from the environment, as XLA does."""
    ask(builders, exported, home)
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    ask(builders, exported, home)
    assert len(builders.jobs) == 2


def test_another_line_of_the_runtime_itself_builds(builders, exported, home, monkeypatch, tmp_path):
    """A release's version says nothing of a source tree that is worked on; its files do."""
    package = Path(key.__file__).parents[1]
    copied = tmp_path / "healing_runtime"
    shutil.copytree(package, copied, ignore=shutil.ignore_patterns("__pycache__", "catalogue"))
    monkeypatch.setattr(key, "__file__", str(copied / "compile/key.py"))
    for changed, builds in ((None, 1), ("compile/tick.py", 2), ("supervisor/run.py", 2)):
        if changed:
            (copied / changed).write_text((copied / changed).read_text() + "# another line\n")
        key.code_sha256.cache_clear()
        ask(builders, exported, home)
        assert len(builders.jobs) == builds, changed
    key.code_sha256.cache_clear()


def test_the_way_of_lowering_is_part_of_the_key(exported, builders, home):
    """The builder is told `one_kernel`, and what it is told is the key."""
    ask(builders, exported, home)
    header = builders.jobs[0].message.header
    usual = {**header, "request": dataclasses.replace(header["request"], one_kernel=False)}
    blobs, here = builders.jobs[0].message.blobs, key.machine()
    assert key.key_of(header, blobs, here) != key.key_of(usual, blobs, here)


# ---------------------------------------------------------------- what must not be used
def entry(home):
    (file,) = (home / "cache").iterdir()
    return file


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("damage", [flip, lambda f: f.write_bytes(f.read_bytes()[:-1]), lambda f: f.unlink()])
def test_a_damaged_entry_is_built_again_and_nothing_in_it_is_read(builders, exported, home, damage, monkeypatch):
    ask(builders, exported, home)
    file = entry(home)
    damage(file)
    with monkeypatch.context() as patch:
        for module, name in ((programs.serialize_executable, "deserialize_and_load"), (json, "loads")):
            patch.setattr(module, name, lambda *_, **__: pytest.fail("read before its hash was checked"))
        with kept_in(home) as kept:
            message = builders.jobs[0].message
            assert kept.find(key.key_of(message.header, message.blobs, key.machine())) is None
    assert not file.exists()
    ask(builders, exported, home)
    assert len(builders.jobs) == 2


def test_bytes_that_the_ledger_does_not_know_are_not_used(builders, exported, home):
    """A whole and honest entry, but of another workspace."""
    ask(builders, exported, home)
    with Ledger(home / "other.sqlite3"):
        pass
    with KeptPrograms(home / "other.sqlite3", Cache(home / "cache")) as kept:
        ask_build(builders, exported, COURSE, kit.TABLE, kept)
    assert len(builders.jobs) == 2


def test_an_entry_of_another_build_is_not_used(builders, exported, home):
    """A ledger that names a program of this cache under the wrong key."""
    ask(builders, exported, home)
    sha256 = "sha256:" + entry(home).name
    with Ledger(home / "runs/ledger.sqlite3") as ledger, kept_in(home) as kept:
        ledger.record_executable(sha256, "the key of something else")
        assert kept.find("the key of something else") is None


# ---------------------------------------------------------------- nothing here is a reason to fail
def test_without_a_ledger_it_waits_and_makes_none(builders, exported, tmp_path):
    path = tmp_path / "runs/ledger.sqlite3"
    with KeptPrograms(path, Cache(tmp_path / "cache")) as kept:
        ask_build(builders, exported, COURSE, kit.TABLE, kept)
        assert list(tmp_path.iterdir()) == []
        Ledger(path).close()
        kept.settle()
        assert (tmp_path / "cache").is_dir()
        ask_build(builders, exported, COURSE, kit.TABLE, kept)
    assert len(builders.jobs) == 1


def test_a_cache_that_is_off_builds_every_time(builders, exported, home, monkeypatch):
    monkeypatch.setenv("HEALING_RUNTIME_CACHE", "off")
    for _ in range(2):
        with KeptPrograms.beside(home / "runs/ledger.sqlite3") as kept:
            ask_build(builders, exported, COURSE, kit.TABLE, kept)
    assert len(builders.jobs) == 2


def test_a_cache_that_cannot_be_used_is_told_once_and_builds(builders, exported, home):
    (home / "cache").mkdir(mode=0o755)
    (home / "cache").chmod(0o755)
    told = []
    with kept_in(home, narrate=told.append) as kept:
        for _ in range(2):
            ask_build(builders, exported, COURSE, kit.TABLE, kept)
    assert len(builders.jobs) == 2
    assert len(told) == 1 and "mode is 0755" in told[0]


def test_a_program_that_is_too_large_to_be_kept_is_told(builders, exported, home, monkeypatch):
    monkeypatch.setattr(caches, "MAX_ENTRY_BYTES", 1_000)
    told = []
    with kept_in(home, narrate=told.append) as kept:
        ask_build(builders, exported, COURSE, kit.TABLE, kept)
    assert len(told) == 1 and "at most 1000 are kept" in told[0]


def test_a_relative_folder_is_told_and_makes_none(builders, exported, home, monkeypatch):
    monkeypatch.chdir(home)
    monkeypatch.setenv("HEALING_RUNTIME_CACHE", "here")
    told = []
    with KeptPrograms.beside(home / "runs/ledger.sqlite3", told.append) as kept:
        ask_build(builders, exported, COURSE, kit.TABLE, kept)
    assert len(told) == 1 and "the cache here is not used: it is no absolute path" in told[0]
    assert not (home / "here").exists()


def test_a_ledger_that_cannot_be_read_builds(builders, exported, home):
    (home / "runs/ledger.sqlite3").write_bytes(b"not a database, but long enough to be taken for one" * 40)
    ask(builders, exported, home)
    assert len(builders.jobs) == 1


# ---------------------------------------------------------------- what was kept and is of no use
class Killer:
    """Pickles to what kills the process that unpickles it."""

    def __reduce__(self):
        return os.abort, ()


USELESS = {
    "cut short": lambda program: program.executable[:-1000],
    "no executable": lambda program: pickle.dumps("no executable"),
    "kills": lambda program: pickle.dumps(Killer()),
}


def spoil(home, useless):
    """Put under every key that was kept a program whose hashes are right and which does not load; their hashes."""
    cache, hashes = Cache(home / "cache"), []
    with Ledger(home / "runs/ledger.sqlite3") as ledger:
        for sha256, key_ in ledger.executables():
            program = wire.read_blob_file(cache.fetch(sha256), key_)
            spoiled = programs.blob(useless(program), program.interface, program.params, program.carry)
            hashes.append(cache.store(wire.blob_file(spoiled, key_)))
            ledger.record_executable(hashes[-1], key_)
    return hashes


@pytest.mark.parametrize("useless", USELESS.values(), ids=USELESS)
def test_a_kept_program_that_does_not_load_is_discarded_and_built_again(sandbox, exported, home, useless):
    ask(sandbox, exported, home)
    (spoiled,), cache = spoil(home, useless), Cache(home / "cache")
    assert cache.fetch(spoiled)
    told = []
    with kept_in(home, narrate=told.append) as kept:
        program = ask_build(sandbox, exported, COURSE, kit.TABLE, kept)
    assert len(told) == 1 and "does not load" in told[0] and "\n" not in told[0]
    assert programs.load(program).interface == program.interface
    again = ask(NoBuilders(sandbox), exported, home)
    assert again.sha256 == program.sha256, "what was built takes the place of what was of no use"
    assert cache.fetch(spoiled) is None, "it is gone"


def test_a_good_patch_is_not_refused_for_what_was_kept_of_it(sandbox, home):
    """Its own program and those of its regressions: each is flown by a worker that loads it."""
    other = kit.course(name="hopper/higher", altitude=2.1, files=kit.assertions(ceiling="3.5 m"))
    context = kit.context(regressions=[other], samples=0)
    proposal, resumes = kit.proposal(kit.GOOD), (Resume(0),)
    for expected in (0, 2):
        told = []
        with kept_in(home, narrate=told.append) as kept:
            decision = Gate(sandbox, context, kept).judge(proposal, kit.incident(), resumes)
        assert decision.accepted, decision.refusal
        assert len(told) == expected
        if not told:
            assert len(spoil(home, USELESS["cut short"])) == 2


def test_no_worker_to_be_had_says_nothing_of_what_was_kept(sandbox, exported, home):
    ask(sandbox, exported, home)

    class Closed:
        def run(self, job):
            raise SandboxFailed("the sandbox is closed")

    with pytest.raises(SandboxFailed):
        ask(Closed(), exported, home)
    assert ask(NoBuilders(sandbox), exported, home)


# ---------------------------------------------------------------- the same flight
class NoBuilders:
    """A sandbox that compiles nothing."""

    def __init__(self, sandbox):
        self.sandbox = sandbox

    def run(self, job):
        assert not job.function.endswith(":build_job")
        return self.sandbox.run(job)


def test_a_kept_program_flies_as_a_fresh_one(sandbox, exported, home, built):
    plant: Plant = load_robot("hopper", kit.SIM).make()
    fresh = ask_build(sandbox, exported, COURSE, kit.TABLE, KeptPrograms.none())
    ask(sandbox, exported, home)
    kept = ask(NoBuilders(sandbox), exported, home)
    flights = [
        fly(plant, programs.load(blob), FlightPlan(COURSE.scenario, COURSE.scenario.seed)) for blob in (fresh, kept)
    ]
    assert flights[0].digest == flights[1].digest and len(flights[0].trace.packed) > 50
    plant.close()


# ---------------------------------------------------------------- the stage
def test_the_export_stage_refuses_what_the_builders_re_check_refuses(sandbox, exported):
    lapack = jax.export.export(jax.jit(jnp.linalg.cholesky))(np.eye(3, dtype=np.float32))
    hostile = dataclasses.replace(exported, control=bytes(lapack.serialize()))
    candidate = candidate_of(kit.proposal(kit.GOOD), kit.incident(), (Resume(0),), kit.source(kit.DROPS))
    candidate = dataclasses.replace(candidate, traced=Traced((), hostile))
    refusal = exporter(sandbox, COURSE, kit.TABLE, KeptPrograms.none())(candidate).stages[-1]
    assert (refusal.stage, refusal.accepted) == (Stage.EXPORT, False)
    assert "stablehlo.custom_call is not an operation of TensorLang" in refusal.reason


# ---------------------------------------------------------------- fallbacks that were admitted
def test_an_admission_stands_on_the_users_cache_and_not_on_the_workspace(home):
    with kept_in(home) as kept:
        assert not kept.admitted("sha256:a")
        kept.admit("sha256:a")
        assert kept.admitted("sha256:a") and not kept.admitted("sha256:b")
    (home / "runs/ledger.sqlite3").unlink()
    with kept_in(home) as kept:
        assert kept.admitted("sha256:a")
    with KeptPrograms(home / "runs/ledger.sqlite3", Cache(home / "another")) as kept:
        assert not kept.admitted("sha256:a")


def test_an_edited_admission_is_none(home):
    with kept_in(home) as kept:
        kept.admit("sha256:a")
        (entry,) = (home / "cache").iterdir()
        entry.write_bytes(entry.read_bytes().replace(b"sha256:a", b"sha256:b"))
        assert not kept.admitted("sha256:a") and not kept.admitted("sha256:b")


def test_without_a_cache_nothing_is_admitted():
    kept = KeptPrograms.none()
    kept.admit("sha256:a")
    assert not kept.admitted("sha256:a")
