"""Programs of earlier runs: used where everything is equal, built again wherever anything is not."""

from __future__ import annotations

import dataclasses
import json

import gate_kit as kit
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from healing_runtime.compile import key, programs
from healing_runtime.compile.cache import Cache
from healing_runtime.core.plant import Plant
from healing_runtime.core.signals import Layout
from healing_runtime.core.status import Stage
from healing_runtime.gate.build import ask_build, ask_trace, exporter
from healing_runtime.gate.hangar import Hangar
from healing_runtime.gate.policy import candidate_of
from healing_runtime.gate.records import Resume, Traced
from healing_runtime.ledger.store import Ledger
from healing_runtime.loop.rollout import FlightPlan, fly
from healing_runtime.sandbox.zygote import Sandbox
from healing_runtime.workspace.plants import load_robot

COURSE = kit.course()


@pytest.fixture(scope="module")
def exported(sandbox):
    source = kit.source(kit.GOOD)
    return ask_trace(sandbox, source, source, COURSE, kit.TABLE).exported


@pytest.fixture(scope="module")
def built(sandbox, exported):
    return ask_build(sandbox, exported, COURSE, kit.TABLE)


class Builders:
    """Stands where a sandbox stands: counts what is asked of it, and answers every time with the same program."""

    def __init__(self, program):
        from healing_runtime.compile import wire
        from healing_runtime.sandbox.messages import Message

        self.jobs, self.answer = [], Message(*wire.blob_message(program))

    def run(self, job):
        self.jobs.append(job)
        header = json.loads(json.dumps(kit.codec.plain(self.answer.header)))
        return dataclasses.replace(self.answer, header=header)


@pytest.fixture
def builders(built):
    return Builders(built)


@pytest.fixture
def home(tmp_path):
    """A ledger that is there, and a cache."""
    with Ledger(tmp_path / "runs/ledger.sqlite3"):
        pass
    return tmp_path


def hangar(home, **kwargs):
    return Hangar(home / "runs/ledger.sqlite3", Cache(home / "cache"), **kwargs)


def ask(builders, exported, home, course=COURSE, table=kit.TABLE):
    with hangar(home) as kept:
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


@pytest.mark.parametrize("part", MACHINE)
def test_another_machine_or_version_builds(builders, exported, home, monkeypatch, part):
    ask(builders, exported, home)
    here = key.machine()
    assert part in here
    monkeypatch.setattr(key, "machine", lambda: {**here, part: "another"})
    ask(builders, exported, home)
    assert len(builders.jobs) == 2


def test_the_flags_of_xla_are_read_from_the_environment(monkeypatch):
    before = key.machine()
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    assert key.machine() != before


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
        with hangar(home) as kept:
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
    with Hangar(home / "other.sqlite3", Cache(home / "cache")) as kept:
        ask_build(builders, exported, COURSE, kit.TABLE, kept)
    assert len(builders.jobs) == 2


def test_an_entry_of_another_build_is_not_used(builders, exported, home):
    """A ledger that names a program of this cache under the wrong key."""
    ask(builders, exported, home)
    sha256 = "sha256:" + entry(home).name
    with Ledger(home / "runs/ledger.sqlite3") as ledger, hangar(home) as kept:
        ledger.record_executable(sha256, "the key of something else")
        assert kept.find("the key of something else") is None


# ---------------------------------------------------------------- nothing here is a reason to fail
def test_without_a_ledger_it_waits_and_makes_none(builders, exported, tmp_path):
    path = tmp_path / "runs/ledger.sqlite3"
    with Hangar(path, Cache(tmp_path / "cache")) as kept:
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
        with Hangar.beside(home / "runs/ledger.sqlite3") as kept:
            ask_build(builders, exported, COURSE, kit.TABLE, kept)
    assert len(builders.jobs) == 2


def test_a_cache_that_cannot_be_used_is_told_once_and_builds(builders, exported, home):
    (home / "cache").mkdir(mode=0o755)
    (home / "cache").chmod(0o755)
    told = []
    with hangar(home, narrate=told.append) as kept:
        for _ in range(2):
            ask_build(builders, exported, COURSE, kit.TABLE, kept)
    assert len(builders.jobs) == 2
    assert len(told) == 1 and "mode is 0755" in told[0]


def test_a_ledger_that_cannot_be_read_builds(builders, exported, home):
    (home / "runs/ledger.sqlite3").write_bytes(b"not a database, but long enough to be taken for one" * 40)
    ask(builders, exported, home)
    assert len(builders.jobs) == 1


# ---------------------------------------------------------------- the same flight
def test_a_kept_program_flies_as_a_fresh_one(sandbox, exported, home, built):
    plant: Plant = load_robot("hopper", kit.SIM).make()
    fresh = ask_build(sandbox, exported, COURSE, kit.TABLE)
    ask(sandbox, exported, home)
    kept = ask(Sandbox.__new__(Sandbox), exported, home)
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
    refusal = exporter(sandbox, COURSE, kit.TABLE)(candidate).stages[-1]
    assert (refusal.stage, refusal.accepted) == (Stage.EXPORT, False)
    assert "stablehlo.custom_call is not an operation of TensorLang" in refusal.reason
