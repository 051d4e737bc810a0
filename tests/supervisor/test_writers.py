"""A patch that fails its probation is a refusal wherever it is told of; what is written again is the same."""

from types import SimpleNamespace
from typing import Any

from healing_runtime.core.records import Attempt, Decision, Proposal, Source, StageResult
from healing_runtime.core.status import Stage
from healing_runtime.ledger.store import Ledger
from healing_runtime.ledger.vouchers import Vouchers
from healing_runtime.repair.repair import Judged
from healing_runtime.supervisor.incident_writer import IncidentWriter
from healing_runtime.supervisor.patch_writer import PATCH_FILES, PatchWriter
from healing_runtime.supervisor.result import IncidentStory
from healing_runtime.supervisor.resumption import Entry
from healing_runtime.telemetry.record import RunFolder


def test_a_failed_probation_is_a_refusal_on_record(tmp_path):
    told = []
    folder = RunFolder.create(tmp_path, "r/s")
    journal: Any = SimpleNamespace(event=lambda *a, **facts: told.append((a, facts)))
    scenario: Any = SimpleNamespace(name="r/s", control_hz=100)
    accepted = Attempt("b", Proposal("d", "file", "x"), (StageResult(Stage.FLIGHTS, True),))
    incident: Any = SimpleNamespace(id="0001-x", tick=7)
    story = IncidentStory(incident, [(accepted, True)], patch="sha256:1", resume_tick=3)
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        ledger.record_run(folder.run_id, {})
        ledger.record_incident("0001-x", folder.run_id, {})
        entry = {"brain": "b", "proposal": {}, "accepted": True, "stages": []}
        ledger.record_attempt("0001-x", folder.run_id, 1, entry)
        folder.write_incident("0001-x", "attempt-01.json", entry)
        for name in PATCH_FILES:
            folder.write_incident("0001-x", name, "text")
        writer = PatchWriter(scenario, folder, ledger, journal, Vouchers(None))
        writer.probation_failed(story, StageResult(Stage.PROBATION, False, "x was violated at tick 9"))
    kept = folder.read_incident("0001-x", "attempt-01.json")
    assert kept["accepted"] is False and kept["stages"][-1]["stage"] == "probation"
    assert (story.patch, story.resume_tick, story.attempts[-1][1]) == (None, None, False)
    files = {p.name for p in (folder.path / "incidents/0001-x").iterdir()}
    assert files == {"attempt-01.json", *(f"attempt-01-rolled-back-{name}" for name in PATCH_FILES)}
    assert told[0][0] == (7, "probation_failed")


def test_an_attempt_that_is_taken_over_is_written_as_it_was(tmp_path):
    """A run that goes on writes its attempts again, from what the ledger has of them."""
    folder = RunFolder.create(tmp_path, "r/s")
    journal: Any = SimpleNamespace(event=lambda *_, **__: None)
    scenario: Any = SimpleNamespace(name="r/s", control_hz=100)
    writer = IncidentWriter(scenario, folder, None, journal, Vouchers(None))
    incident: Any = SimpleNamespace(id="0001-x", tick=7)
    proposal = Proposal("d", "file", "x", stands_on="sha256:e")

    def written(decision):
        story = IncidentStory(incident, breakdown_s={"propose": 0.0})
        writer.attempt(story, Judged(Attempt("memory", proposal, decision.stages), decision, 0.0))
        return folder.read_incident("0001-x", "attempt-01.json")

    stages = (StageResult(Stage.CONTRACT, True), StageResult(Stage.SYNTAX, False, "no", 3, {"a": 1.5}))
    times = {"wall_s": {"verify": 0.25}, "stage_s": {"contract": 0.125, "syntax": 0.125}}
    first = written(Decision("full", False, stages, **times, not_remembered="its evidence is not kept here"))
    (decision, _) = Entry(first, {}).decision(Source("c", "c", "x", "sha256:x"))
    assert written(decision) == first and first["not_remembered"] and first["stage_s"]
