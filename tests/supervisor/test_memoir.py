"""A patch that fails its probation is a refusal in every place that tells of it."""

from types import SimpleNamespace
from typing import Any

from healing_runtime.core.records import Attempt, Decision, Proposal, Source, StageResult
from healing_runtime.core.status import Stage
from healing_runtime.gate.standing import nothing_kept
from healing_runtime.ledger.store import Ledger
from healing_runtime.repair.repair import Judged
from healing_runtime.supervisor.memoir import PATCH_FILES, Memoir
from healing_runtime.supervisor.result import IncidentStory
from healing_runtime.supervisor.resume import Entry
from healing_runtime.telemetry.record import RunFolder


def test_a_failed_probation_is_a_refusal_on_record(tmp_path):
    told = []
    memoir: Any = Memoir.__new__(Memoir)
    memoir.folder = RunFolder.create(tmp_path, "r/s")
    memoir.journal = SimpleNamespace(event=lambda *a, **facts: told.append((a, facts)))
    accepted = Attempt("b", Proposal("d", "file", "x"), (StageResult(Stage.FLIGHTS, True),))
    incident: Any = SimpleNamespace(id="0001-x", tick=7)
    story = IncidentStory(incident, [(accepted, True)], patch="sha256:1", resume_tick=3)
    with Ledger(tmp_path / "ledger.sqlite3") as memoir.ledger:
        memoir.ledger.record_run(memoir.folder.run_id, {})
        memoir.ledger.record_incident("0001-x", memoir.folder.run_id, {})
        entry = {"brain": "b", "proposal": {}, "accepted": True, "stages": []}
        memoir.ledger.record_attempt("0001-x", memoir.folder.run_id, 1, entry)
        memoir.folder.write_incident("0001-x", "attempt-01.json", entry)
        for name in PATCH_FILES:
            memoir.folder.write_incident("0001-x", name, "text")
        memoir.probation_failed(story, StageResult(Stage.PROBATION, False, "x was violated at tick 9"))
    kept = memoir.folder.read_incident("0001-x", "attempt-01.json")
    assert kept["accepted"] is False and kept["stages"][-1]["stage"] == "probation"
    assert (story.patch, story.resume_tick, story.attempts[-1][1]) == (None, None, False)
    files = {p.name for p in (memoir.folder.path / "incidents/0001-x").iterdir()}
    assert files == {"attempt-01.json", *(f"attempt-01-rolled-back-{name}" for name in PATCH_FILES)}
    assert told[0][0] == (7, "probation_failed")


def test_an_attempt_that_is_taken_over_is_written_as_it_was(tmp_path):
    """A run that goes on writes its attempts again, from what the ledger has of them."""
    memoir: Any = Memoir.__new__(Memoir)
    memoir.folder, memoir.ledger, memoir.evidence_of = RunFolder.create(tmp_path, "r/s"), None, nothing_kept
    memoir.journal = SimpleNamespace(event=lambda *_, **__: None)
    incident: Any = SimpleNamespace(id="0001-x", tick=7)
    proposal = Proposal("d", "file", "x", stands_on="sha256:e")

    def written(decision):
        story = IncidentStory(incident, breakdown_s={"propose": 0.0})
        memoir.attempt(story, Judged(Attempt("memory", proposal, decision.stages), decision, 0.0))
        return memoir.folder.read_incident("0001-x", "attempt-01.json")

    stages = (StageResult(Stage.CONTRACT, True), StageResult(Stage.SYNTAX, False, "no", 3, {"a": 1.5}))
    times = {"wall_s": {"verify": 0.25}, "stage_s": {"contract": 0.125, "syntax": 0.125}}
    first = written(Decision("full", False, stages, **times, not_remembered="its evidence is not kept here"))
    (decision, _) = Entry(first, {}).decision(Source("c", "c", "x", "sha256:x"))
    assert written(decision) == first and first["not_remembered"] and first["stage_s"]
