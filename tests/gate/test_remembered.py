"""The policy `remembered`: a stored bound stands where all is equal; whoever edits what is stored gets `full`."""

from __future__ import annotations

import copy
import dataclasses
import math
from concurrent.futures import Future

import gate_kit as kit
import pytest

from healing_runtime.compile.cache import Cache
from healing_runtime.core import codec
from healing_runtime.core.errors import WorkerFailed
from healing_runtime.core.records import Evidence
from healing_runtime.gate.evidence import evidence, held_out
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.gate.policy import Gate, candidate_of
from healing_runtime.gate.records import Resume, Standing, Surroundings
from healing_runtime.gate.standing import standing
from healing_runtime.gate.statistics import examination_confidence, lower_bound
from healing_runtime.ledger.sealed import MAX_BYTES, SealedEvidence
from healing_runtime.ledger.store import Ledger

FINGERPRINT = {"system": "here", "visible_cores": 2}
SURROUNDINGS = Surroundings("sha256:r", "sha256:s", "sha256:o", FINGERPRINT)


def context(**kwargs):
    return dataclasses.replace(kit.context(**kwargs), surroundings=SURROUNDINGS)


CONTEXT = context()
START = (Resume(0),)


class Counted:
    """A sandbox that counts the flights it is asked for."""

    def __init__(self, sandbox):
        self._sandbox, self.flights = sandbox, 0

    def __getattr__(self, name):
        return getattr(self._sandbox, name)

    def submit(self, job):
        if job.function.endswith("fly_job"):
            self.flights += len(job.message.header["request"].flights)
        return self._sandbox.submit(job)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Programs are compiled once for all tests."""
    home = tmp_path_factory.mktemp("kept")
    with Ledger(home / "ledger.sqlite3"):
        pass
    with KeptPrograms(home / "ledger.sqlite3", Cache(home / "cache")) as kept:
        yield kept


def evidence_of(decision, here, text=kit.GOOD, incident="i-1"):
    brain, level = "embedded", "none"
    about = (decision, here, kit.incident(id=incident), kit.proposal(text), here.original)
    record = evidence(*about, brain=brain, confinement=level, fingerprint=FINGERPRINT)
    return codec.plain(dataclasses.replace(record, latency=None))  # as it is kept


def accepted_in_full(sandbox, kept, here):
    decision = Gate(sandbox, here, kept).judge(kit.proposal(kit.GOOD), kit.incident(), START)
    assert (decision.accepted, decision.policy) == (True, "full")
    return evidence_of(decision, here)


@pytest.fixture(scope="module")
def stored(sandbox, kept):
    """Evidence of an acceptance in full, as plain JSON."""
    return accepted_in_full(sandbox, kept, CONTEXT)


@pytest.fixture(scope="module")
def without_neighbours(sandbox, kept):
    here = context(samples=0)
    return here, accepted_in_full(sandbox, kept, here)


def knowing(*documents):
    return {codec.digest(document): document for document in documents}.get


def remembered(document, text=kit.GOOD):
    return dataclasses.replace(kit.proposal(text), stands_on=codec.digest(document))


def judge(sandbox, kept, document, here=CONTEXT, text=kit.GOOD, resumes=START, find=None, regressions=None):
    counted = Counted(sandbox)
    gate = Gate(counted, here, kept, find or knowing(document), regressions)
    decision = gate.judge(remembered(document, text), kit.incident(), resumes)
    assert (gate.program is not None) == decision.accepted
    return decision, counted.flights


# ---------------------------------------------------------------- it stands
def test_incident_scenario_and_repetition_are_flown_and_the_bound_stands(sandbox, kept, stored):
    def unasked():
        raise AssertionError("regressions are those of the evidence")

    decision, flights = judge(sandbox, kept, stored, regressions=unasked)
    assert (decision.accepted, decision.policy, decision.not_remembered) == (True, "remembered", "")
    assert flights == 3
    assert [s.stage.value for s in decision.stages] == [s["stage"] for s in stored["stages"]]
    facts, then = decision.stages[-1].facts, stored["stages"][-1]["facts"]
    assert facts["scenario"] == then["scenario"] and facts["incident"] == then["incident"] and facts["repeated"]
    counts = facts["neighbourhood"]
    assert counts == then["neighbourhood"]
    assert counts["lower_bound"] == lower_bound(counts["passed"], 40, examination_confidence(0.9)) >= 0.9
    assert facts["stands_on"] == codec.digest(stored)
    written = codec.read(Evidence, evidence_of(decision, CONTEXT))
    assert (written.policy, written.stands_on) == ("remembered", codec.digest(stored))


def test_a_remembered_patch_that_does_not_mend_this_incident_is_refused(sandbox, kept, stored):
    """Resumed where the hopper has fallen too far already."""
    decision, flights = judge(sandbox, kept, stored, resumes=(Resume(30),))
    assert (decision.accepted, decision.policy, flights) == (False, "remembered", 3)
    assert decision.refusal.stage == "flights" and "incident" in decision.refusal.reason
    told = decision.refusal.counterexample
    assert told and told["violated"] == ["above-floor"] and told["values"]["altitude_m"] < 1.0


def test_a_patch_that_names_no_evidence_is_judged_in_full(sandbox, kept, without_neighbours):
    here, _ = without_neighbours
    decision = Gate(sandbox, here, kept).judge(kit.proposal(kit.GOOD), kit.incident(), START)
    assert (decision.policy, decision.not_remembered) == ("full", "")


# ---------------------------------------------------------------- it does not, and `full` says what becomes of it
def test_another_text_under_the_same_evidence_is_flown_in_full_and_refused(sandbox, kept, stored):
    asked = []
    swapped = kit.controller(kp=0.0, kd=0.0, hover=0.1)
    decision, flights = judge(sandbox, kept, stored, text=swapped, regressions=lambda: asked.append(1) or ())
    assert (decision.accepted, decision.policy, asked) == (False, "full", [1])
    assert decision.not_remembered == "the patch is not what its evidence is about" and flights >= 3


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ((5, "facts", "stablehlo"), "its program is not the one that its evidence is about"),
        ((6, "facts", "scenario", "digest"), "its flights did not come out as its evidence has them"),
        ((6, "facts", "incident", 0, "digest"), "its flights did not come out as its evidence has them"),
    ],
)
def test_what_only_flying_it_can_tell_is_found_out_and_it_is_judged_in_full(
    sandbox, kept, without_neighbours, path, what
):
    here, stored = without_neighbours
    edited = changed(stored, ("stages", *path), "sha256:0")
    decision, flights = judge(sandbox, kept, edited, here)
    assert (decision.accepted, decision.policy, decision.not_remembered) == (True, "full", what)
    assert flights == (3 if path[0] == 5 else 6)
    assert "stands_on" not in decision.stages[-1].facts


def test_its_evidence_has_the_key_of_the_neighbours_that_were_flown(sandbox, kept, stored):
    """They were drawn for the incident of that time; of this one, which has another name, none were."""
    decision, _ = judge(sandbox, kept, stored)
    now = evidence_of(decision, CONTEXT, incident="i-2")
    assert (now["policy"], now["incident"]["id"]) == ("remembered", "i-2")
    assert now["seeds"] == stored["seeds"] and held_out(now) == held_out(stored) != ()


def test_what_simulates_is_named_once(stored):
    assert stored["bound_to"]["simulation"] == SURROUNDINGS.simulation and "simulation" not in stored


# ---------------------------------------------------------------- an attacker with the ledger
def changed(document, path, value):
    """A copy of a document with another value somewhere; `...` takes it out."""
    edited = copy.deepcopy(document)
    *way, last = path
    inner = edited
    for step in way:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return edited


COUNTS = ("stages", 6, "facts", "neighbourhood")
EDITS = {
    "by remembered": (("policy",), "remembered"),
    "by prevalidated": (("policy",), "prevalidated"),
    "by nobody": (("policy",), ""),
    "of another patch": (("controller_after",), "sha256:0"),
    "of another failed controller": (("controller_before",), "sha256:0"),
    "of other assertions": (("assertions", "hopper/hold"), "sha256:0"),
    "of more assertions": (("assertions", "hopper/more"), "sha256:0"),
    "of no assertions": (("assertions",), {}),
    "of another scenario": (("scenario",), "sha256:0"),
    "of another original": (("bound_to", "original"), "sha256:0"),
    "of another runtime": (("bound_to", "runtime"), "sha256:0"),
    "of another simulation": (("bound_to", "simulation"), "sha256:0"),
    "of other regressions": (("bound_to", "others"), "sha256:0"),
    "of an unknown runtime": (("bound_to", "runtime"), ...),
    "of an older form": (("bound_to",), {}),
    "of another platform": (("fingerprint", "visible_cores"), 4),
    "of no platform": (("fingerprint",), {}),
    "without its flights": (("stages", 6), ...),
    "without its syntax": (("stages", 1), ...),
    "with a stage twice": (("stages", 1, "stage"), "contract"),
    "with a refusal": (("stages", 6, "accepted"), False),
    "without stages": (("stages",), []),
    "with stages that are none": (("stages",), "all"),
    "without a program": (("stages", 5, "facts"), {}),
    "without a flight": (("stages", 6, "facts", "scenario"), ...),
    "with a flight that is none": (("stages", 6, "facts", "incident"), [None]),
    "without counts": (COUNTS, None),
    "with fewer samples": ((*COUNTS, "samples"), 39),
    "with more passes than flights": ((*COUNTS, "passed"), 41),
    "with too few passes": ((*COUNTS, "passed"), 30),
    "with passes that are NaN": ((*COUNTS, "passed"), math.nan),
    "with passes that are none": ((*COUNTS, "passed"), None),
    "with passes that are true": ((*COUNTS, "passed"), True),
    "with passes that are text": ((*COUNTS, "passed"), "40"),
    "with infinite passes": ((*COUNTS, "passed"), math.inf),
    "with negative flights": ((*COUNTS, "flown"), -1),
    "with a third examination": ((*COUNTS, "number"), 3),
    "with a nought-th examination": ((*COUNTS, "number"), 0),
    "with another examination than its key": ((*COUNTS, "number"), 2),
    "with the key of another run": (("seeds", "neighbourhood", 0), 8),
    "with the key of another incident": (("seeds", "neighbourhood", 1), "i-2"),
    "with a key that is none": (("seeds", "neighbourhood"), "i-1"),
    "without a key": (("seeds", "neighbourhood"), None),
    "without seeds": (("seeds",), {}),
}


def stood(document, here=CONTEXT, find=None, text=kit.GOOD, **proposal):
    offered = dataclasses.replace(remembered(document, text), **proposal)
    candidate = candidate_of(offered, kit.incident(), START, here.original)
    return standing(candidate, here, find or knowing(document))


def test_what_nobody_edited_stands(stored):
    found = stood(stored)
    assert isinstance(found, Standing) and found.sha256 == codec.digest(stored)


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_edited_evidence_does_not_stand_even_with_its_hash_made_anew(stored, edit):
    why = stood(changed(stored, *edit))
    assert isinstance(why, str) and why


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_edited_evidence_does_not_stand_under_its_old_hash(stored, edit):
    edited = changed(stored, *edit)
    why = stood(stored, find=lambda _: edited)
    assert isinstance(why, str) and why


def test_the_bound_that_is_written_there_is_never_believed(stored):
    """Counts that prove too little, under a bound and a verdict that say otherwise; and the other way round."""
    poor = changed(changed(stored, (*COUNTS, "passed"), 30), (*COUNTS, "lower_bound"), 1.0)
    assert "30 of 40 neighbours prove a pass rate of 0.6129" in stood(poor)
    for bound in (math.nan, None, 0.0, "inf", -1.0):
        found = stood(changed(stored, (*COUNTS, "lower_bound"), bound))
        assert found.neighbourhood["lower_bound"] == stored["stages"][6]["facts"]["neighbourhood"]["lower_bound"]


@pytest.mark.parametrize("nothing", [[], "text", 1.0, math.nan, {}, {"policy": "full"}, {"policy": {"a": []}}])
def test_what_is_no_evidence_does_not_stand(stored, nothing):
    assert isinstance(stood(stored, find=lambda _: nothing), str)


@pytest.mark.parametrize("claim", ["sha256:0", "0" * 1000, 7, None, ["x"]])
def test_evidence_that_is_not_there_does_not_stand(stored, claim):
    assert "not kept here" in stood(stored, stands_on=claim)


def test_evidence_of_another_scenario_of_the_same_patch_does_not_stand(stored):
    for other in (context(seed=8), context(spread=0.06), context(min_pass_rate=0.5), context(policy="freeze")):
        assert stood(stored, other) == "the scenario is not what its evidence is about"
    original = context(original=kit.controller(kp=0.0))
    assert "controller" in stood(stored, original)


@pytest.mark.parametrize("hash_", ["runtime", "simulation", "others"])
def test_what_is_not_known_is_not_equal(stored, hash_):
    unknown = changed(stored, ("bound_to", hash_), "")
    here = dataclasses.replace(CONTEXT, surroundings=dataclasses.replace(SURROUNDINGS, **{hash_: ""}))
    assert isinstance(stood(unknown, here), str)


def test_prevalidated_is_known_and_refused(stored):
    assert "'prevalidated', which is not available yet" in stood(changed(stored, ("policy",), "prevalidated"))


# ---------------------------------------------------------------- where evidence is kept
def test_only_what_was_sealed_here_is_found(stored, tmp_path):
    sealed = SealedEvidence(Cache(tmp_path / "cache"))
    sha256 = sealed.seal(codec.read(Evidence, stored))
    assert sha256 == codec.digest(stored)
    assert SealedEvidence(Cache(tmp_path / "cache")).find(sha256) == stored
    assert sealed.find(codec.digest(changed(stored, ("policy",), "other"))) is None
    sealed.discard(sha256)
    assert sealed.find(sha256) is None and list((tmp_path / "cache").iterdir()) == []


def test_a_changed_byte_in_the_cache_is_not_found(stored, tmp_path):
    sealed = SealedEvidence(Cache(tmp_path / "cache"))
    sha256 = sealed.seal(codec.read(Evidence, stored))
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(file.read_bytes().replace(b'"policy":"full"', b'"policy":"fuII"'))
    assert sealed.find(sha256) is None


def test_what_else_lies_in_the_cache_is_no_evidence(tmp_path):
    cache = Cache(tmp_path / "cache")
    sealed = SealedEvidence(cache)
    for data in (b"\x00program", b"[1]", b'"text"', b"NaN", b"[" * 100_000, b'{"a":"' + b"x" * MAX_BYTES + b'"}'):
        assert sealed.find(cache.store(data)) is None


def test_without_a_cache_nothing_is_sealed(stored):
    none = SealedEvidence(None)
    assert none.seal(codec.read(Evidence, stored)) is None and none.find(codec.digest(stored)) is None


# ---------------------------------------------------------------- what goes wrong while it flies
class Failing(Counted):
    """A sandbox whose first flights end badly: the worker is killed, or reports less than it was asked for."""

    def __init__(self, sandbox, how):
        super().__init__(sandbox)
        self._how = how

    def submit(self, job):
        if self._how is None or not job.function.endswith("fly_job"):
            return super().submit(job)
        how, self._how = self._how, None
        self.flights += len(job.message.header["request"].flights)
        if how == "killed":
            future = Future()
            future.set_exception(WorkerFailed("the worker was killed (SIGKILL)"))
            return future
        request = job.message.header["request"]
        header = {**job.message.header, "request": dataclasses.replace(request, flights=request.flights[:1])}
        return self._sandbox.submit(dataclasses.replace(job, message=dataclasses.replace(job.message, header=header)))


@pytest.mark.parametrize("how", ["killed", "cut short"])
def test_a_worker_that_does_not_survive_is_no_refusal_and_no_acceptance_but_a_judgement_in_full(
    sandbox, kept, without_neighbours, how
):
    here, stored = without_neighbours
    failing = Failing(sandbox, how)
    gate = Gate(failing, here, kept, knowing(stored))
    decision = gate.judge(remembered(stored), kit.incident(), START)
    assert (decision.accepted, decision.policy, failing.flights) == (True, "full", 6)
    assert decision.not_remembered.startswith("a flight did not end well")
