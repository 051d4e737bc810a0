"""A record with two incidents and patches that were rolled back, replayed from its second incident.

No honest gate lets such patches fly, so one that accepts whatever compiles stands in its place.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from healing_runtime.core.codec import digest
from healing_runtime.core.records import Decision, Source, StageResult
from healing_runtime.core.status import Stage
from healing_runtime.gate import policy
from healing_runtime.supervisor.replay import replay
from healing_runtime.supervisor.runtime import Runtime
from tests.supervisor.conftest import ROOT, SCENARIO, edit

pytestmark = pytest.mark.slow  # a minute, for nine programs are built

judged = []


def lenient(self, proposal, incident, resumes, flying=None):
    """Accept the proposal, and let it take over at t = 0."""
    judged.append(incident.id)
    assert self._full, "it has regressions, as every gate that judges what no evidence stands for"
    source = Source(flying.name, flying.path, proposal.source, digest(proposal.source))
    self.program = policy.admit(self._sandbox, source, self._context.course, self._context.table, self._kept)
    stages = (StageResult(Stage.FLIGHTS, True, "whatever flies"),)
    return Decision("lenient", True, stages, resumes[-1].tick, (0, None), self.program.sha256)


@pytest.fixture(autouse=True)
def gate(monkeypatch):
    monkeypatch.setattr(policy.Gate, "judge", lenient)
    monkeypatch.setattr(policy.Gate, "qualify", lambda self, courses: ())
    judged.clear()


@pytest.fixture(scope="module")
def twice(home, tmp_path_factory):
    """The first answer breaks the promise again in probation, the second one later, the third one lands."""
    folder = tmp_path_factory.mktemp("twice")
    pilot = (ROOT / "controllers/lander/neuro_pilot.py").read_text()
    weak = pilot.replace('"thrust_n": 0.0', '"thrust_n": 1400.0')
    soft = (ROOT / "controllers/lander/soft_landing.py").read_text()
    answers = [{"source": source} for source in (pilot + "# again\n", weak, soft)]
    (folder / "script.json").write_text(json.dumps({"answers": answers}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy.Gate, "judge", lenient)
        patch.setattr(policy.Gate, "qualify", lambda self, courses: ())
        result = Runtime(SCENARIO, brain=f"mock:{folder / 'script.json'}", workspace=home, out=folder / "runs").run()
    incidents = result.document["incidents"]
    assert (result.document["outcome"], len(incidents)) == ("healed", 2)
    assert [len(incident["attempts"]) for incident in incidents] == [2, 3]
    assert result.document["final_branch"] == 5
    return result


def test_earlier_incidents_are_taken_over_and_not_judged_again(twice, home):
    second = twice.document["incidents"][1]["id"]
    result = replay(twice.folder, verify=True, from_incident=second, home=home)
    assert result.exit_code == 0, result.document
    assert result.document["from_incident"]["start"] == "snapshot"
    assert set(judged) == {second} and len(judged) == 3
    assert result.document["digest"] == twice.document["digest"], "all of it came out as it was"


def test_a_broken_snapshot_of_an_earlier_incident_leaves_the_recipe(twice, home, tmp_path):
    folder = Path(shutil.copytree(twice.folder, tmp_path / "run"))
    first, second = (incident["id"] for incident in twice.document["incidents"])
    edit(folder, f"incidents/{first}/incident.json", lambda d: d["snapshot"].update(state_hash="0" * 64))
    result = replay(folder, verify=True, from_incident=second, home=home)
    found = result.document["divergence"]
    assert result.exit_code == 3 and found["what"].startswith(f"incidents/{first}/incident.json: snapshot.state_hash")
    assert result.document["from_incident"]["start"] == "recipe" and set(judged) == {first, second}


def test_a_whole_replay_judges_every_incident(twice, home):
    assert replay(twice.folder, verify=True, home=home).exit_code == 0
    assert len(judged) == 5


def test_a_controller_takes_over_at_the_second_incident(twice, home):
    second = twice.document["incidents"][1]["id"]
    result = replay(twice.folder, from_incident=second, controller="lander/soft_landing", home=home)
    assert judged == []
    (attempt,) = result.document["incidents"][1]["attempts"]
    assert (attempt["brain"], attempt["stage"]) == ("lander/soft_landing", "probation"), "too late to brake"
    assert (result.document["outcome"], result.exit_code) == ("violated", 1)
