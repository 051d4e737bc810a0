"""Runs and replays with executables of earlier runs: nothing is compiled twice, and nothing comes out differently."""

from pathlib import Path

import pytest

from healing_runtime import workspace
from healing_runtime.compile import programs, wire
from healing_runtime.compile.cache import VARIABLE, Cache
from healing_runtime.ledger.store import Ledger
from healing_runtime.sandbox.zygote import Sandbox
from healing_runtime.supervisor.replay import replay
from healing_runtime.supervisor.runtime import Runtime

ROOT = Path(__file__).parents[2]
SCENARIO = "lander/neuro_lander"


@pytest.fixture(scope="module")
def home():
    return workspace.open(ROOT)


@pytest.fixture
def builds(monkeypatch):
    """Every job that compiles something."""
    jobs, run = [], Sandbox.run

    def counted(self, job):
        if job.function.endswith(":build_job"):
            jobs.append(job)
        return run(self, job)

    monkeypatch.setattr(Sandbox, "run", counted)
    return jobs


def fly(home, out, **kwargs):
    return Runtime(SCENARIO, brain="none", workspace=home, out=out, **kwargs).run()


def test_a_second_run_compiles_nothing_and_flies_the_same(home, builds, tmp_path):
    first = fly(home, tmp_path)
    assert len(builds) == 1
    second = fly(home, tmp_path)
    assert len(builds) == 1
    assert second.document["digest"] == first.document["digest"]
    elsewhere = fly(home, tmp_path / "elsewhere")
    assert len(builds) == 2, "another ledger knows nothing of it"
    assert elsewhere.document["digest"] == first.document["digest"]


@pytest.mark.slow
def test_a_healed_run_replays_identically_with_a_warm_and_with_a_cold_cache(home, builds, tmp_path, monkeypatch):
    healed = Runtime(SCENARIO, workspace=home, out=tmp_path / "runs").run()
    assert healed.document["outcome"] == "healed"
    compiled = len(builds)
    assert compiled >= 2
    warm = replay(healed.folder, verify=True, home=home)
    assert (warm.exit_code, len(builds)) == (0, compiled), warm.document
    monkeypatch.setenv(VARIABLE, str(tmp_path / "empty"))
    cold = replay(healed.folder, verify=True, home=home)
    # A replay needs programs for the regressions that qualified, not for those that were tried.
    assert cold.exit_code == 0 and compiled + 2 <= len(builds) <= 2 * compiled, cold.document
    assert warm.document["digest"] == cold.document["digest"] == healed.document["digest"]


def spoil(folder):
    """Make all that was kept useless, hashes right all the same; returns how many there are."""
    cache = Cache(folder / "cache")
    with Ledger(folder / "ledger.sqlite3") as ledger:
        found = ledger.executables()
        for sha256, key in found:
            kept = wire.read_blob_file(cache.fetch(sha256), key)
            useless = programs.blob(kept.executable[:-1000], kept.interface, kept.params, kept.carry)
            ledger.record_executable(cache.store(wire.blob_file(useless, key)), key)
    return len(found)


def test_without_a_cache_every_run_compiles(home, builds, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "off")
    for number in (1, 2):
        fly(home, tmp_path)
        assert len(builds) == number


def test_a_cache_that_cannot_be_used_is_told_and_the_run_flies(home, builds, tmp_path, monkeypatch):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setenv(VARIABLE, str(folder))
    told = []
    for number in (1, 2):
        assert fly(home, tmp_path, progress=told.append).document["ticks"] > 10
        assert len(builds) == number
    assert len([line for line in told if "chmod 700" in line]) == 2, "once a run"
    assert list(folder.iterdir()) == []


def test_a_kept_executable_that_does_not_load_is_compiled_again(home, builds, tmp_path, monkeypatch):
    """Its bytes are those that were kept, its hashes agree, and still it is of no use on this machine."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    first = fly(home, tmp_path)
    assert spoil(tmp_path) == 1
    told = []
    second = fly(home, tmp_path, progress=told.append)
    assert len(builds) == 2 and any("does not load" in line for line in told)
    assert second.document["digest"] == first.document["digest"]


def test_a_patch_is_flown_and_swapped_in_though_what_was_kept_of_it_does_not_load(home, builds, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    first = Runtime(SCENARIO, workspace=home, out=tmp_path, memory=False).run()
    compiled = len(builds)
    assert first.outcome == "healed" and spoil(tmp_path) == compiled >= 2
    told = []
    second = Runtime(SCENARIO, workspace=home, out=tmp_path, memory=False, progress=told.append).run()
    assert second.outcome == "healed" and len(builds) == 2 * compiled
    assert len([line for line in told if "does not load" in line]) == compiled
    assert not [line for line in told if "refused" in line]
    assert second.document["digest"] == first.document["digest"]


def test_a_controller_that_is_refused_at_its_first_sample_leaves_neither_ledger_nor_entry(home, tmp_path, monkeypatch):
    from healing_runtime.core.errors import InputError
    from healing_runtime.supervisor import preparation

    def bad(*_):
        raise InputError("the controller's first action is not finite")

    monkeypatch.setattr(preparation, "refuse_bad_start", bad)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    with pytest.raises(InputError):
        fly(home, tmp_path / "runs")
    assert list(tmp_path.iterdir()) == []


def test_a_record_elsewhere_without_a_ledger_is_replayed(home, builds, tmp_path):
    import shutil

    flown = fly(home, tmp_path / "runs")
    moved = Path(shutil.copytree(flown.folder, tmp_path / "moved/run"))
    assert replay(moved, verify=True, home=home).exit_code == 0
    assert len(builds) == 2
    assert [p.name for p in (tmp_path / "moved").iterdir()] == ["run"]


def test_the_ledger_names_what_was_kept(home, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    fly(home, tmp_path / "runs")
    kept = {f"sha256:{file.name}" for file in (tmp_path / "cache").iterdir()}
    with Ledger(tmp_path / "runs/ledger.sqlite3") as ledger:
        ((sha256, key),) = ledger.executables()
    assert sha256 in kept and key.startswith("sha256:")
