import dataclasses
import time

from healing_runtime.core.errors import BrainUnavailable, BudgetSpent
from healing_runtime.core.records import Decision, Proposal, RepairRequest, StageResult
from healing_runtime.core.status import Stage
from healing_runtime.repair.repair import Budget, Reason, Refused, Repaired, from_memory, repair

REQUEST = RepairRequest(
    "0001-x", "robot", "c", "source", "a", "clause", "english", 3, -1.0, 10, 100, 20, "float32", None,
    {}, {}, {}, (), (), {}, (), (), (), 7,
)  # fmt: skip
FOREVER = float("inf")


def proposals(*sources):
    return tuple(Proposal("because", "file", s) for s in sources)


class Scripted:
    """Answers from a list and keeps the requests it saw."""

    name = "scripted"

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []

    def propose(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else ()
        if isinstance(answer, Exception):
            raise answer
        return answer


def judge_accepting(*good):
    def judge(proposal):
        accepted = proposal.source in good
        return Decision("full", accepted, (StageResult(Stage.SYNTAX, accepted, "" if accepted else "no"),))

    return judge


def run(brain, judge, attempts=5, deadline=FOREVER):
    told = []
    return repair(REQUEST, brain, judge, Budget(attempts, deadline), told.append), told


def test_the_first_accepted_proposal_ends_the_repair():
    brain = Scripted(proposals("a", "b", "c"))
    outcome, told = run(brain, judge_accepting("b", "c"))
    assert isinstance(outcome, Repaired) and outcome.proposal.source == "b"
    assert [t.decision.accepted for t in told] == [False, True]


def test_refusals_go_back_to_the_brain_with_their_reason():
    brain = Scripted(proposals("a"), proposals("b"))
    run(brain, judge_accepting("b"))
    assert brain.requests[0].attempts == ()
    assert [a.proposal.source for a in brain.requests[1].attempts] == ["a"]
    assert brain.requests[1].attempts[0].stages[0].reason == "no"


def test_attempts_are_a_hard_limit_even_within_one_answer():
    outcome, told = run(Scripted(proposals("a", "b", "c"), proposals("d")), judge_accepting("d"), attempts=3)
    assert outcome == Refused(Reason.ATTEMPTS_SPENT)
    assert len(told) == 3


def test_nothing_offered_and_unavailable_are_told_apart():
    assert run(Scripted(()), judge_accepting())[0] == Refused(Reason.NOTHING_OFFERED)
    outcome, _ = run(Scripted(BrainUnavailable("no key")), judge_accepting())
    assert outcome == Refused(Reason.BRAIN_UNAVAILABLE, "no key")


def test_no_attempts_left_means_the_brain_is_not_asked():
    brain = Scripted(proposals("a"))
    assert run(brain, judge_accepting("a"), attempts=0)[0] == Refused(Reason.ATTEMPTS_SPENT)
    assert brain.requests == []


def test_a_spent_wall_budget_aborts_before_the_next_question():
    brain = Scripted(proposals("a"), proposals("b"))
    assert run(brain, judge_accepting("b"), deadline=time.monotonic() - 1)[0] == Refused(Reason.WALL_BUDGET_SPENT)
    assert brain.requests == []


def test_a_judgement_that_the_budget_cuts_off_is_no_attempt():
    """Neither an acceptance nor a refusal: nothing is told of it, and the brain is asked no more."""

    def judge(proposal):
        raise BudgetSpent("fly_job was cut off")

    brain = Scripted(proposals("a", "b"))
    outcome, told = run(brain, judge)
    assert isinstance(outcome, Refused) and outcome.reason is Reason.WALL_BUDGET_SPENT
    assert "neither accepted nor refused" in outcome.detail and "fly_job was cut off" in outcome.detail
    assert told == [] and len(brain.requests) == 1


def examined(accepted, left):
    """A judge that gives every proposal a held-out examination, of which `left` remain by number of the proposal."""
    remaining = iter(left)

    def judge(proposal):
        facts = {"examinations_left": next(remaining)}
        return Decision(
            "full", accepted, (StageResult(Stage.FLIGHTS, accepted, "" if accepted else "no", facts=facts),)
        )

    return judge


def test_without_an_examination_left_the_brain_is_not_asked_in_vain():
    brain = Scripted(proposals("a"), proposals("b", "c"), proposals("d"))
    outcome, told = run(brain, examined(False, (1, 0)))
    assert isinstance(outcome, Refused) and outcome.reason is Reason.EXAMINATIONS_SPENT
    assert "examinations on held-out neighbours are spent" in outcome.detail
    assert [t.attempt.proposal.source for t in told] == ["a", "b"] and len(brain.requests) == 2


def test_what_the_last_examination_accepted_flies_and_if_a_person_refuses_it_nobody_is_asked_again():
    outcome, (told,) = run(Scripted(proposals("a")), examined(True, (0,)))
    assert isinstance(outcome, Repaired)
    withdrawn = (*told.attempt.stages, StageResult(Stage.APPROVAL, False, "the gain is too high"))
    request = dataclasses.replace(REQUEST, attempts=(dataclasses.replace(told.attempt, stages=withdrawn),))
    brain = Scripted(proposals("b"))
    again = repair(request, brain, judge_accepting("b"), Budget(5, FOREVER), lambda _: None)
    assert isinstance(again, Refused) and again.reason is Reason.EXAMINATIONS_SPENT and brain.requests == []


# ---------------------------------------------------------------- the patch memory
def recalled(remembered, judge, attempts=5, deadline=FOREVER):
    told = []
    return from_memory(REQUEST, remembered, judge, Budget(attempts, deadline), told.append, 0.5), told


def test_a_remembered_patch_is_an_attempt_by_the_memory():
    outcome, told = recalled(proposals("a"), judge_accepting("a"))
    assert isinstance(outcome, Repaired) and (outcome.proposal.source, outcome.brain) == ("a", "memory")
    assert [(t.attempt.brain, t.decision.accepted, t.propose_s) for t in told] == [("memory", True, 0.5)]


def test_refused_ones_are_attempts_that_the_brain_is_told_of():
    outcome, told = recalled(proposals("a", "b"), judge_accepting())
    assert [a.proposal.source for a in outcome.attempts] == ["a", "b"]
    assert [t.propose_s for t in told] == [0.5, 0.0]
    brain = Scripted(proposals("a"), proposals("c"))
    last = repair(outcome, brain, judge_accepting("a", "c"), Budget(3, FOREVER), lambda _: None)
    assert isinstance(last, Repaired) and last.proposal.source == "c", "'a' was refused before"


def test_the_memory_spends_attempts_and_no_more_than_there_are():
    outcome, told = recalled(proposals("a", "b", "c"), judge_accepting("c"), attempts=2)
    assert not isinstance(outcome, Repaired) and len(told) == 2


def test_the_memory_is_not_judged_when_the_wall_budget_is_spent():
    outcome, told = recalled(proposals("a"), judge_accepting("a"), deadline=time.monotonic() - 1.0)
    assert outcome is REQUEST and told == []


def test_with_an_empty_memory_the_request_is_what_it_was():
    assert recalled((), judge_accepting()) == (REQUEST, [])
