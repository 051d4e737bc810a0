"""What a brain writes beside its source is kept as it is, and moves no terminal and breaks no file on the way."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from healing_runtime.cli import incidents, output
from healing_runtime.core.codec import digest
from healing_runtime.core.records import Attempt, Decision, Proposal, StageResult
from healing_runtime.core.status import Stage
from healing_runtime.ledger.store import Ledger
from healing_runtime.ledger.vouchers import Vouchers
from healing_runtime.repair.repair import Judged
from healing_runtime.supervisor.incident_writer import IncidentWriter
from healing_runtime.supervisor.result import IncidentStory
from healing_runtime.telemetry.record import RunFolder

WORDS = ("half of a pair: \ud800", "\x1b[2J\x1b]0;healed\x07", "right \u202e to left", "nul \0", "x" * 100_000)


@pytest.mark.parametrize("words", WORDS, ids=["half", "escape", "bidi", "nul", "long"])
def test_a_refused_proposal_is_on_record_whatever_it_holds(tmp_path, capsys, words):
    folder = RunFolder.create(tmp_path, "r/s")
    journal: Any = SimpleNamespace(event=lambda *a, **facts: None)
    scenario: Any = SimpleNamespace(name="r/s", control_hz=100)
    story = IncidentStory(SimpleNamespace(id="0001-x", tick=7))  # type: ignore[arg-type]
    stages = (StageResult(Stage.CONTRACT, False, "no"),)
    attempt = Attempt("b", Proposal(words, "file", f"x = 1  # {words}", (words,)), stages)
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        ledger.record_run(folder.run_id, {})
        ledger.record_incident("0001-x", folder.run_id, {})
        writer = IncidentWriter(scenario, folder, ledger, journal, Vouchers(None))
        writer.attempt(story, Judged(attempt, Decision("full", False, stages), 0.0))
        document = ledger.incident("0001-x")
    assert document["attempts"][0]["diagnosis"] == words
    assert folder.read_incident("0001-x", "attempt-01.json")["proposal"]["diagnosis"] == words
    output.emit({**document, "same_id": 1}, True, list)
    assert json.loads(capsys.readouterr().out)["attempts"][0]["diagnosis"] == words
    output.emit({}, False, lambda: incidents._details({**document, "same_id": 1}))
    shown = capsys.readouterr().out
    shown.encode()
    assert not any(c in shown for c in "\x1b\x07\0\u202e\ud800")


def test_text_that_no_file_can_hold_has_a_digest_of_its_own():
    assert digest("\ud800") != digest("\ud801") != digest("?")
    assert digest("plain") == digest(b"plain")
