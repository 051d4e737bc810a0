"""The evidence of an acceptance: sealed, read back strictly, and enough to fly the held-out neighbours again."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from pathlib import Path

import gate_kit as kit
import pytest

from healing_runtime.compile.cache import Cache
from healing_runtime.core import codec
from healing_runtime.core.errors import RecordError
from healing_runtime.core.records import Decision, StageResult
from healing_runtime.core.status import Stage
from healing_runtime.gate import evidence_document, neighbourhood
from healing_runtime.gate.evidence import evidence, held_out, seal_of, sealed
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import Gate
from healing_runtime.gate.records import Resume
from healing_runtime.ledger.store import Ledger
from healing_runtime.sandbox.zygote import Sandbox

DOCS = Path(__file__).parents[2] / "docs"
PAGE, SCHEMA = DOCS / "evidence.md", DOCS / "evidence.schema.json"
LOW = kit.course(name="hopper/low", altitude=1.6)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """What is compiled is compiled once: the bytes of an executable differ from one compilation to the next."""
    folder = tmp_path_factory.mktemp("kept")
    Ledger(folder / "ledger.sqlite3").close()
    (folder / "cache").mkdir(mode=0o700)
    with KeptPrograms(folder / "ledger.sqlite3", Cache(folder / "cache")) as kept:
        yield kept


def accepted(sandbox, kept):
    """The evidence of one acceptance, and the program."""
    context = kit.context(regressions=(LOW,), spread=0.4, samples=48)
    gate = Gate(sandbox, context, kept)
    decision = gate.judge(kit.proposal(kit.GOOD), kit.incident(), (Resume(0),))
    assert decision.accepted, decision.refusal
    record = evidence(
        decision,
        context,
        kit.incident(),
        kit.proposal(kit.GOOD),
        context.original,
        brain="mock",
        confinement=sandbox.confinement,
        fingerprint={"python": "3", "jax": "0"},
    )
    return json.loads(codec.canonical(sealed(record))), gate.program


@pytest.fixture(scope="module")
def one(sandbox, kept):
    return accepted(sandbox, kept)


@pytest.fixture
def document(one):
    return copy.deepcopy(one[0])


def test_it_is_read_back_as_it_was_written(document):
    found = evidence_document.read(document)
    assert json.loads(found.model_dump_json(exclude_unset=True)) == document
    assert [stage.stage for stage in found.stages][-1] == "flights"
    assert found.mission == "holds" and found.limits["thrust_n"].high == 20.0
    assert [r.scenario for r in found.regressions] == ["hopper/low"]
    assert found.latency is not None and 0 < found.latency.p50_s <= found.latency.max_s


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda d: d["stages"][-1]["facts"]["neighbourhood"].update(passed=48), "evidence_sha256 is"),
        (lambda d: d.update(brain="somebody else"), "evidence_sha256 is"),
        (lambda d: d["versions"].update(jax="9"), "evidence_sha256 is"),
        (lambda d: d.pop("seeds"), "seeds: field required"),
        (lambda d: d.update(more=1), "more: extra inputs"),
        (lambda d: d["stages"][-1]["facts"]["scenario"].update(kept=1), "kept: input should be a valid boolean"),
        (lambda d: d["stages"][0].update(accepted=False), "accepted: input should be true"),
        (lambda d: d["stages"].pop(3), "not every stage of the gate is there"),
        (lambda d: d["stages"][-1]["facts"].pop("repeated"), "the flights are not all there"),
        (lambda d: d["stages"][-1]["facts"]["regressions"].clear(), "not every regression was flown"),
        (lambda d: d["seeds"].update(neighbourhood=None), "and its seeds are not both there"),
        (lambda d: d["scenario_document"].pop("name"), "name: field required"),
    ],
)
def test_what_was_changed_or_is_incomplete_is_no_evidence(document, edit, said):
    edit(document)
    with pytest.raises(RecordError) as caught:
        evidence_document.read(document)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def by_the_page(document):
    """The hash as docs/evidence.md says it is made, with what Python ships."""
    said = {key: value for key, value in document.items() if key != "evidence_sha256"} | {"latency": None}
    return "sha256:" + hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def test_the_hash_is_of_everything_but_the_clock(document):
    document["latency"]["p50_s"] = 1.0
    assert evidence_document.read(document).latency.p50_s == 1.0
    assert by_the_page(document) == document["evidence_sha256"]
    for key in set(document) - {"evidence_sha256", "latency"}:
        other = {**document, key: "changed"}
        assert seal_of(other) == by_the_page(other) != document["evidence_sha256"], key


def test_the_page_names_every_field_and_every_stage():
    page = PAGE.read_text()
    named = {name for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert named == set(evidence_document.EvidenceDocument.model_fields) | {stage.value for stage in Stage}


def valid_until(facts):
    context, stage = kit.context(), StageResult(Stage.FLIGHTS, True, facts=facts)
    about = (Decision("full", True, (stage,)), context, kit.incident(), kit.proposal(kit.GOOD), context.original)
    return evidence(*about, brain="mock", confinement="none", fingerprint={}).valid_until_tick


def test_a_patch_is_valid_as_far_as_the_scenario_was_flown():
    assert valid_until({"scenario": {"last_tick": 100}}) == 100
    assert valid_until({}) is None


@pytest.mark.parametrize(
    "flown", [None, {}, [], "100", {"last_tick": None}, {"last_tick": "1"}, {"last_tick": 9.0}, {"last_tick": -1}]
)
def test_a_flight_that_does_not_say_how_far_it_went_limits_no_patch_and_makes_no_evidence(flown):
    with pytest.raises(RecordError, match="does not say up to which tick"):
        valid_until({"scenario": flown})


def test_the_neighbours_are_drawn_and_flown_again_from_the_record(one, document, sandbox):
    """The spread is wide enough for some to fail, so that equal counts say something."""
    told = document["stages"][-1]["facts"]["neighbourhood"]
    drawn = held_out(document)
    assert len(drawn) == told["samples"] == 48
    assert told["passed"] < told["flown"], "none failed: equal counts would be no news"
    again = neighbourhood.examine(
        sandbox, one[1], drawn, kit.context(samples=48).course.scenario.acceptance, told["number"], str(kit.SIM)
    )
    assert codec.plain(again._asdict()) == told


@pytest.mark.parametrize("workers", [1, 3])
def test_the_bytes_do_not_depend_on_the_number_of_workers(document, kept, workers):
    with Sandbox(workers=workers) as sandbox:
        other, _ = accepted(sandbox, kept)
    for d in (document, other):
        del d["latency"]
    assert codec.canonical(other) == codec.canonical(document)


def test_the_documented_schema_is_that_of_the_reader():
    assert json.loads(SCHEMA.read_text()) == evidence_document.schema()
