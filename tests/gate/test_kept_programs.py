"""Programs of earlier runs: used where everything is equal, and never a reason to fail."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import gate_kit as kit
import numpy as np
import pytest
from kept_kit import COURSE, Builders, ask, kept_in

from healing_runtime.compile import cache as caches
from healing_runtime.compile import key, programs
from healing_runtime.compile.cache import Cache
from healing_runtime.core.signals import Layout
from healing_runtime.gate.build import ask_build
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.ledger.store import Ledger


@pytest.fixture(scope="module")
def built(sandbox, exported):
    return ask_build(sandbox, exported, COURSE, kit.TABLE, KeptPrograms.none())


@pytest.fixture
def builders(built):
    return Builders(built)


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
