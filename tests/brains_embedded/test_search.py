"""The whole search on a small robot."""

import pytest

from healing_runtime.brains.brain import BrainContext, check
from healing_runtime.brains.embedded import search as module
from healing_runtime.brains.embedded.brain import EmbeddedBrain
from healing_runtime.brains.embedded.budget import Budget
from healing_runtime.brains.embedded.search import search
from healing_runtime.core import codec
from healing_runtime.core.errors import BrainUnavailable
from healing_runtime.core.records import Attempt, Proposal, RepairRequest, StageResult
from healing_runtime.core.status import Stage
from healing_runtime.language import ownership, source
from healing_runtime.sandbox.messages import Message

SMALL = Budget(population=8, flights=8, generations=6, validations=32)


@pytest.fixture(scope="module")
def healed(hopper):
    """Proposals for a controller whose numbers are wrong, and for one that no numbers can mend."""
    return {
        name: search(hopper.request(text), hopper.robot, SMALL)
        for name, text in (("numbers", hopper.too_fast), ("structure", hopper.no_thrust))
    }


def test_wrong_numbers_are_mended_with_numbers(hopper, healed):
    proposals, story = healed["numbers"]
    best = proposals[0]
    old, new = (source.parse(text) for text in (hopper.too_fast, best.source))
    assert best.edit_kind == "parameters"
    assert ownership.edits_only_params(old, new)
    assert new.params["descent_mps"] < 1.0 < old.params["descent_mps"]
    assert "descent_mps 2.5 ->" in best.diagnosis and "# kept" in best.source
    assert len(story) == 1


def test_few_numbers_change(hopper, healed):
    old, new = (source.parse(t).params for t in (hopper.too_fast, healed["numbers"][0][0].source))
    assert sum(old[key] != new[key] for key in old) <= 2


def test_where_numbers_cannot_help_a_structure_is_written(healed):
    proposals, story = healed["structure"]
    assert proposals[0].edit_kind == "file"
    assert proposals[0].diagnosis.startswith("vertical-p")
    assert "no twin" not in story[0]


def test_proposals_are_in_the_language_and_keep_the_contract(hopper, healed):
    for name, text in (("numbers", hopper.too_fast), ("structure", hopper.no_thrust)):
        original = source.parse(text)
        for proposal in healed[name][0]:
            patched = source.parse(proposal.source)
            assert {(a.label, a.text) for a in original.contract} <= {(a.label, a.text) for a in patched.contract}
            assert not [f for f in ownership.check(original, patched) if f.severity == "error"]


def test_proposals_differ_from_one_another(healed):
    for proposals, _ in healed.values():
        assert len({p.source for p in proposals}) == len(proposals) <= SMALL.proposals


def test_same_seed_same_proposals(hopper, healed):
    again, story = search(hopper.request(hopper.too_fast), hopper.robot, SMALL)
    assert (again, story) == healed["numbers"]


def test_what_was_refused_is_not_offered_again(hopper, healed):
    first = healed["numbers"][0]
    refusal = (StageResult(Stage.FLIGHTS, False, "the neighbourhood"),)
    attempts = tuple(Attempt("embedded", proposal, refusal) for proposal in first)
    proposals, story = search(hopper.request(hopper.too_fast, attempts=attempts), hopper.robot, SMALL)
    assert proposals and not {p.source for p in proposals} & {p.source for p in first}
    # The next structure comes before another try at the numbers.
    assert story[0].startswith("vertical-p")


def test_nothing_is_offered_where_nothing_ever_succeeds(hopper):
    high = hopper.request(hopper.no_thrust, initial={"altitude_m": 4000.0, "velocity_mps": 0.0})
    proposals, story = search(high, hopper.robot, Budget(population=4, flights=4, generations=1, validations=4))
    assert proposals == ()
    assert len(story) == 3


def test_the_job_speaks_json(hopper, monkeypatch):
    monkeypatch.setattr(module.workspace, "load_robot", lambda name, root: hopper.robot)
    answer = Message({"proposals": codec.plain((Proposal("d", "file", "s"),)), "story": ["x"]})
    monkeypatch.setattr(module, "search", lambda request, robot: ((Proposal("d", "file", "s"),), ("x",)))
    header = {"request": codec.plain(hopper.request(hopper.no_thrust)), "robot": "hopper", "sim_root": "/nowhere"}
    assert module.run(Message(header)) == answer


class Sandbox:
    """Runs the job here, through plain values as a pipe would."""

    def __init__(self, answer):
        self.answer = answer

    def run(self, job):
        codec.read(RepairRequest, job.message.header["request"])
        assert job.nproc is None
        return Message(codec.plain(self.answer))


def test_the_brain_keeps_the_contract_of_brains(hopper, healed):
    proposals, story = healed["numbers"]
    told = []
    sandbox = Sandbox({"proposals": proposals, "story": story})
    brain = EmbeddedBrain(BrainContext(sandbox=sandbox, robot_name="hopper", sim_root="/nowhere", narrate=told.append))
    assert check(brain, hopper.request(hopper.too_fast)) == ()
    assert told == [f"embedded: {line}" for line in story]


def test_without_a_sandbox_it_says_so(hopper):
    with pytest.raises(BrainUnavailable, match="sandbox"):
        EmbeddedBrain(BrainContext()).propose(hopper.request(hopper.too_fast))
