"""Runs that meet what a run before them healed: offered, judged again, recorded, replayed, and worth nothing edited."""

import gc
import json
import os
import re
import shutil
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path

import jax
import psutil
import pybullet
import pytest

from healing_runtime import workspace
from healing_runtime.core.codec import digest
from healing_runtime.gate.evidence import SEAL, seal_of
from healing_runtime.ledger.store import Ledger
from healing_runtime.loop.recorder import Recorder
from healing_runtime.supervisor.examiner import Examiner
from healing_runtime.supervisor.memoir import Memoir
from healing_runtime.supervisor.replay import replay
from healing_runtime.supervisor.runtime import Runtime

ROOT = Path(__file__).parents[2]
SCENARIO = "lander/own"
LITTLE = "acceptance: {neighbourhood: {samples: 12, min_pass_rate: 0.7}, regressions: false}"
"""Enough to tell what was flown from what was not."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The shipped landing, with less to prove."""
    folder = tmp_path_factory.mktemp("home")
    text = (ROOT / "scenarios/lander/neuro_lander.yaml").read_text()
    (folder / "scenarios/lander").mkdir(parents=True)
    (folder / "scenarios/lander/own.yaml").write_text(re.sub(r"^acceptance:.*$", LITTLE, text, flags=re.MULTILINE))
    return workspace.open(folder)


def mock(folder, name, source):
    """A brain with one answer."""
    script = folder / f"{name}.json"
    script.write_text(json.dumps({"answers": [{"source": source}]}))
    return f"mock:{script}"


@pytest.fixture(scope="module")
def healed(home, tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    pilot = home.controller("lander/soft_landing").text
    return Runtime(SCENARIO, brain=mock(folder, "pilot", pilot), workspace=home, out=folder / "runs").run()


@pytest.fixture
def ledger(healed, tmp_path):
    """The folder of a copy of the ledger that the healed run left."""
    shutil.copy(healed.folder.parent / "ledger.sqlite3", tmp_path / "ledger.sqlite3")
    return tmp_path


@pytest.fixture
def nobody(tmp_path):
    """A brain whose only proposal the gate refuses."""
    return mock(tmp_path, "nobody", "import os\n")


def attempts(result):
    return [(a["brain"], a["verdict"], a["stage"]) for a in result.document["incidents"][0]["attempts"]]


def entries(folder):
    with sqlite3.connect(folder / "ledger.sqlite3") as db:
        return db.execute("SELECT * FROM remembered").fetchall()


def edit(folder, statement, *values):
    with sqlite3.connect(folder / "ledger.sqlite3") as db:
        assert db.execute(statement, values).rowcount


def test_the_second_run_is_healed_from_memory_and_replays_without_a_ledger(healed, ledger, home, nobody):
    assert attempts(healed)[-1] == ("mock:pilot", "accepted", "flights")
    told = []
    second = Runtime(SCENARIO, brain=nobody, workspace=home, out=ledger, progress=told.append).run()
    assert second.document["outcome"] == "healed" and attempts(second) == [("memory", "accepted", "flights")]
    assert not [line for line in told if "asking" in line or "in full" in line]
    assert second.document["controller"] == healed.document["controller"]
    (incident,) = second.document["incidents"]
    folder = second.folder / "incidents" / incident["id"]
    evidence = json.loads((folder / "evidence.json").read_text())
    then = json.loads((healed.folder / "incidents" / incident["id"] / "evidence.json").read_text())
    assert (evidence["policy"], evidence["stands_on"], then["policy"]) == ("remembered", then[SEAL], "full")
    stood = json.loads((folder / "attempt-01-stands-on.json").read_text())
    assert stood == {name: then[name] for name in then if name != SEAL} | {"latency": None}
    assert seal_of(stood) == digest(stood) == then[SEAL]
    with Ledger(ledger / "ledger.sqlite3") as store:
        assert store.patch(incident["patch"])["evidence"]["policy"] == "remembered"
    (ledger / "ledger.sqlite3").unlink()
    found = replay(second.folder, verify=True, home=home)
    assert found.exit_code == 0, found.document


def test_without_the_memory_the_brain_is_asked_and_nothing_is_left_in_it(ledger, home):
    before = entries(ledger)
    pilot = mock(ledger, "pilot", home.controller("lander/soft_landing").text)
    result = Runtime(SCENARIO, brain=pilot, memory=False, workspace=home, out=ledger).run()
    assert attempts(result) == [("mock:pilot", "accepted", "flights")]
    assert result.document["outcome"] == "healed" and entries(ledger) == before != []


def test_a_swapped_text_is_judged_in_full_and_refused_and_the_brain_goes_on(ledger, home, nobody):
    """The row says that the failing controller, with a remark, is what was accepted."""
    failing = home.controller("lander/neuro_pilot").text + "\n# tuned\n"
    (row,) = entries(ledger)
    entry = json.loads(row[-1])
    entry["proposal"]["source"] = failing
    edit(ledger, "UPDATE remembered SET document = ?, patch = ?", json.dumps(entry), digest(failing))
    told = []
    result = Runtime(SCENARIO, brain=nobody, workspace=home, out=ledger, progress=told.append).run()
    assert attempts(result)[0] == ("memory", "refused", "flights")
    assert attempts(result)[1][:2] == ("mock:nobody", "refused")
    assert "patch by memory: judged in full, the patch is not what its evidence is about" in told
    assert result.document["controller"]["final"] == result.document["controller"]["initial"]
    found = replay(result.folder, verify=True, home=home)
    assert found.exit_code == 0, found.document


@pytest.mark.slow  # everything is compiled anew
def test_evidence_that_only_the_ledger_knows_is_none(ledger, home, nobody, monkeypatch, tmp_path):
    """Another user's cache: the ledger came with a checkout, and what it says was never flown here."""
    from healing_runtime.compile.cache import VARIABLE

    monkeypatch.setenv(VARIABLE, str(tmp_path / "another"))
    told = []
    result = Runtime(SCENARIO, brain=nobody, workspace=home, out=ledger, progress=told.append).run()
    assert attempts(result) == [("memory", "accepted", "flights")]
    assert "patch by memory: judged in full, its evidence is not kept here" in told
    evidence = json.loads((result.folder / "incidents/0001-braking-distance/evidence.json").read_text())
    assert (evidence["policy"], evidence["stands_on"]) == ("full", "")
    flights = evidence["stages"][-1]["facts"]
    assert flights["neighbourhood"]["flown"] == flights["neighbourhood"]["needed"] > 8


# ---------------------------------------------------------------- a process that heals again and again
def ours(*kinds):
    """Objects of the runtime's own types and the robots', or those of some kinds."""
    found = (type(thing) for thing in gc.get_objects())
    own = (kind for kind in found if str(kind.__module__).startswith(("healing_runtime.", "_healing_sim")))
    return Counter(kind.__qualname__ for kind in own if not kinds or kind in kinds)


def held():
    """What a process could hold more of after each run."""
    process = psutil.Process()
    return {
        "open files": process.num_fds(),
        "threads": process.num_threads(),
        "children": len(process.children(recursive=True)),
        "temporary files": len(os.listdir(tempfile.gettempdir())),
        "worlds": sum(pybullet.isConnected(client) for client in range(1024)),
        "executables": len(jax.local_devices()[0].client.live_executables()),
        "arrays": len(jax.live_arrays()),
    }


def test_a_process_holds_no_more_after_each_heal(ledger, home, nobody, tmp_path, monkeypatch):
    """What belongs to one run is let go of at its end, without a collection; nothing else grows from heal to heal."""

    def heal():
        result = Runtime(SCENARIO, brain=nobody, workspace=home, out=ledger).run()
        assert attempts(result) == [("memory", "accepted", "flights")]

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for _ in range(2):  # what is kept once for all is there after these
        heal()
    gc.collect()
    gc.disable()
    try:
        before, kinds = held(), ours()
        for _ in range(2):
            heal()
        of_a_run = ours(Runtime, Examiner, Memoir, Recorder)
        after = held()
    finally:
        gc.enable()
    gc.collect()
    assert after == before
    assert ours() - kinds == Counter()
    assert of_a_run == ours(Runtime, Examiner, Memoir, Recorder), "they waited for a collection"
