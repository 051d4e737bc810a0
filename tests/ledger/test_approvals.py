"""Decisions in the ledger: one a set of hashes, only on what waits, never changed."""

import sqlite3
import threading

import pytest

from healing_runtime.core import codec
from healing_runtime.core.errors import InputError
from healing_runtime.ledger.approvals import Approvals
from healing_runtime.ledger.migrations import MIGRATIONS
from healing_runtime.ledger.store import Ledger

SHA = codec.digest("b\n")
BOUND = {"patch": SHA, "evidence": "sha256:e", "scenario": "sha256:s", "program": "sha256:p"}


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite3") as opened:
        yield opened


def ask(ledger, run="r1", bound=BOUND):
    document = {"run_id": run, "incident": "i1", "after": "b\n", "evidence": {}, "approval": {"bound": bound}}
    Approvals(ledger).ask(SHA, document)


def state(ledger, run="r1"):
    return next(p["state"] for p in ledger.patches() if p["run"] == run)


def test_asked_approved_and_not_asked_again(ledger):
    ask(ledger)
    assert state(ledger) == "pending"
    found = Approvals(ledger).decide("r1", "i1", BOUND, "approved", "ann", "fine")
    assert (found["decision"], found["by"], found["note"], found["bound"]) == ("approved", "ann", "fine", BOUND)
    assert state(ledger) == "approved"
    ask(ledger)
    assert state(ledger) == "approved"
    assert Approvals(ledger).of_patch("r1", "i1", SHA) == (found,)


@pytest.mark.parametrize("is_now", ["approved", "rejected", "probation", "active", "rolled_back"])
def test_only_what_waits_is_decided_on(ledger, is_now):
    ask(ledger)
    ledger.set_patch_state(SHA, is_now)
    with pytest.raises(InputError, match=f"is '{is_now}'; only one that is 'pending'"):
        Approvals(ledger).decide("r1", "i1", BOUND, "approved", "ann", "")
    assert Approvals(ledger).of_patch("r1", "i1", SHA) == ()


def test_other_hashes_are_another_question(ledger):
    ask(ledger)
    Approvals(ledger).decide("r1", "i1", BOUND, "approved", "ann", "")
    other = {**BOUND, "evidence": "sha256:f"}
    assert Approvals(ledger).decision("r1", "i1", other) is None
    ask(ledger, bound=other)
    assert state(ledger) == "pending"
    with pytest.raises(InputError, match="changed while it was looked at"):
        Approvals(ledger).decide("r1", "i1", BOUND, "rejected", "ann", "no")


def test_a_decision_is_one_runs(ledger):
    ask(ledger)
    ask(ledger, run="r2")
    Approvals(ledger).decide("r1", "i1", BOUND, "rejected", "ann", "no")
    ledger.set_patch_state(SHA, "rejected", "r1")
    assert (state(ledger, "r1"), state(ledger, "r2")) == ("rejected", "pending")
    assert Approvals(ledger).decision("r2", "i1", BOUND) is None
    with pytest.raises(InputError, match="is not in the ledger"):
        Approvals(ledger).decide("r3", "i1", BOUND, "approved", "ann", "")


def test_of_two_that_decide_at_once_one_does(ledger):
    ask(ledger)
    outcomes = []

    def decide(word):
        with Ledger(ledger.path) as own:
            try:
                outcomes.append(Approvals(own).decide("r1", "i1", BOUND, word, word, "")["decision"])
            except InputError:
                outcomes.append("refused")

    threads = [threading.Thread(target=decide, args=(word,)) for word in ("approved", "rejected")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == sorted([state(ledger), "refused"])
    assert len(Approvals(ledger).of_patch("r1", "i1", SHA)) == 1


def test_a_ledger_from_before_there_were_approvals_gets_them(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    database = sqlite3.connect(path)
    for statement in MIGRATIONS[0]:
        database.execute(statement)
    database.execute("PRAGMA user_version = 1")
    database.commit()
    database.close()
    with Ledger(path) as ledger:
        ask(ledger)
        assert state(ledger) == "pending"
