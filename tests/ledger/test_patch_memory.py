"""The patch memory: offered for just what it is bound to, in one order, and never what did not stay."""

from __future__ import annotations

import dataclasses
import sqlite3

import pytest

from healing_runtime.compile.cache import Cache
from healing_runtime.core import codec
from healing_runtime.core.records import Evidence, Proposal
from healing_runtime.ledger.migrations import MIGRATIONS
from healing_runtime.ledger.patch_memory import MOST_BYTES, MOST_OFFERED, Binding, Entry, PatchMemory
from healing_runtime.ledger.sealed import SealedEvidence
from healing_runtime.ledger.store import Ledger

BINDING = Binding("o", "c", "a", "s", "r", "low")
FEATURES = {"robot": "cart", "tick": 60, "robustness": float("-inf")}


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "runs/ledger.sqlite3") as opened:
        yield opened


@pytest.fixture
def sealed(tmp_path):
    return SealedEvidence(Cache(tmp_path / "cache"))


@pytest.fixture
def memory(ledger, sealed):
    return PatchMemory(ledger, sealed)


def proposal(text="b\n"):
    return Proposal("gain too small", "parameters", text, ("it is warm",))


def evidence(text="b\n", policy="full"):
    return Evidence(
        policy=policy, brain="embedded", edit_kind="file", diagnosis="", changed_assumptions=(), controller="c",
        controller_before="sha256:c", controller_after=codec.digest(text), program_sha256="sha256:p", robot="r",
        incident={}, assertions={}, mission=None, scenario="sha256:s", scenario_document={}, limits={},
        limits_sha256="", regressions=(), stages=(), seeds={}, takeover={}, versions={}, fingerprint={},
        confinement="none", workers={}, latency=None,
    )  # fmt: skip


def remember(memory, text="b\n", binding=BINDING, policy="full"):
    memory.hold(Entry(binding, proposal(text), evidence(text, policy), FEATURES))
    memory.keep()


def edit(ledger, statement, *values):
    with sqlite3.connect(ledger.path) as db:
        assert db.execute(statement, values).rowcount


def texts(memory, binding=BINDING):
    return [p.source for p in memory.look_up(binding)]


def test_what_was_kept_is_offered_with_the_evidence_that_it_stands_on(memory, sealed):
    remember(memory)
    (offered,) = memory.look_up(BINDING)
    assert offered == dataclasses.replace(proposal(), stands_on=codec.digest(evidence()))
    assert sealed.find(offered.stands_on) == codec.plain(evidence())


def test_it_is_kept_across_runs(memory, ledger, sealed):
    remember(memory)
    with Ledger(ledger.path) as again:
        assert texts(PatchMemory(again, sealed)) == ["b\n"]


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Binding)])
def test_every_part_of_the_binding_counts(memory, field):
    remember(memory)
    assert texts(memory, dataclasses.replace(BINDING, **{field: "other"})) == []


def test_a_patch_in_probation_is_not_offered_yet(memory):
    memory.hold(Entry(BINDING, proposal(), evidence(), FEATURES))
    assert texts(memory) == []
    memory.keep()
    memory.keep()
    assert texts(memory) == ["b\n"]


def test_the_newest_come_first_and_only_so_many(memory):
    for text in "abcde":
        remember(memory, text)
    assert texts(memory) == ["e", "d", "c"] and MOST_OFFERED == 3
    remember(memory, "a")
    assert texts(memory) == ["a", "e", "d"]


def test_what_stands_on_other_evidence_is_no_entry_of_its_own(memory):
    remember(memory, policy="remembered")
    remember(memory, policy="prevalidated")
    assert texts(memory) == []


def test_what_is_rolled_back_is_forgotten_and_nothing_stands_on_its_evidence(memory, sealed):
    remember(memory)
    (offered,) = memory.look_up(BINDING)
    memory.hold(Entry(BINDING, proposal(), evidence(), FEATURES))
    memory.forget(codec.digest("b\n"))
    memory.keep()
    assert texts(memory) == [] and sealed.find(offered.stands_on) is None


@pytest.mark.parametrize("state", ["rolled_back", "rejected"])
def test_a_patch_that_was_rolled_back_or_rejected_in_any_run_is_not_offered(memory, ledger, state):
    remember(memory)
    for run, became in (("r1", state), ("r2", "active")):
        ledger.record_run(run, {})
        document = {"run_id": run, "incident": "0001-low", "state": became, "evidence": {}}
        ledger.record_patch(codec.digest("b\n"), document)
    assert texts(memory) == []
    edit(ledger, "UPDATE patches SET state = 'active'")
    assert texts(memory) == ["b\n"], "offered again by who edits the ledger; the gate has its own word in that"


def test_without_a_cache_nothing_is_kept(ledger):
    memory = PatchMemory(ledger, SealedEvidence(None))
    remember(memory)
    assert texts(memory) == []


@pytest.mark.parametrize(
    "document",
    ["", "{", "[]", "null", "1e999", "{}", '{"proposal": 7}', '{"proposal": {"source": "x"}}', "[" * 100_000,
     b"\x00\x01", 7.5],
    ids=lambda d: str(d)[:20],
)  # fmt: skip
def test_a_row_that_nobody_here_wrote_is_passed_over(memory, ledger, document):
    remember(memory, "a")
    remember(memory, "b")
    edit(ledger, "UPDATE remembered SET document = ? WHERE patch = ?", document, codec.digest("b"))
    assert texts(memory) == ["a"]


@pytest.mark.parametrize("character", ["x", "é", "\U0001f600"])
def test_a_huge_row_is_not_even_read(memory, ledger, character):
    remember(memory)
    fits = MOST_BYTES // len(character.encode()) - 2000
    edit(ledger, "UPDATE remembered SET document = json_set(document, '$.robot', ?)", character * fits)
    assert texts(memory) == ["b\n"]
    edit(ledger, "UPDATE remembered SET document = json_set(document, '$.robot', ?)", character * (fits + 2000))
    assert texts(memory) == []


def test_a_row_with_another_text_is_offered_as_what_it_is(memory, ledger):
    """The memory only offers; that the evidence is about another text is the gate's to say."""
    remember(memory)
    edit(ledger, "UPDATE remembered SET document = replace(document, 'b\\n', 'evil')")
    (offered,) = memory.look_up(BINDING)
    assert (offered.source, offered.stands_on) == ("evil", codec.digest(evidence()))


def test_a_ledger_of_the_step_before_gets_its_memory(tmp_path, sealed):
    path = tmp_path / "old.sqlite3"
    with sqlite3.connect(path) as db:
        for statement in MIGRATIONS[0]:
            db.execute(statement)
        db.execute("INSERT INTO runs VALUES ('r1', 'then', '{}', NULL)")
        db.execute("PRAGMA user_version = 1")
    with Ledger(path) as ledger:
        assert [run["run"] for run in ledger.runs()] == ["r1"]
        memory = PatchMemory(ledger, sealed)
        remember(memory)
        assert texts(memory) == ["b\n"]
