"""The search, run as one job of a sandbox worker: a request in, proposals and a short story out.

Cheap first: the numbers of the controller that failed, then controller families for the robot, simple ones before rich ones. A
structure that convinces on fresh draws ends the search. Everything is ranked on the robot's twin, by the scenario's own
assertions and mission; the gate decides in PyBullet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from healing_runtime import workspace
from healing_runtime.brains.embedded import describe
from healing_runtime.brains.embedded.budget import Budget
from healing_runtime.brains.embedded.structures import structures
from healing_runtime.brains.embedded.task import task_of
from healing_runtime.brains.embedded.tuning import Candidate, Stiffness, Structure, tune
from healing_runtime.core import codec
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import Proposal, RepairRequest
from healing_runtime.sandbox.messages import Message


def run(message: Message) -> Message:
    """The job: header `request`, `robot`, `sim_root` -> header `proposals`, `story`."""
    request = codec.read(RepairRequest, message.header["request"])
    robot = workspace.load_robot(message.header["robot"], Path(message.header["sim_root"]))
    proposals, story = search(request, robot)
    return Message({"proposals": codec.plain(proposals), "story": list(story)})


def search(
    request: RepairRequest, robot: Robot, budget: Budget | None = None
) -> tuple[tuple[Proposal, ...], tuple[str, ...]]:
    """Proposals, best first, and what was done, in lines for people. Nothing where the robot has no twin."""
    if robot.make_twin is None:
        return (), (f"{robot.name} has no twin to search on",)
    budget = budget or Budget()
    task = task_of(request, robot)
    stiffness = stiffness_of(request)
    refused = frozenset(attempt.proposal.source for attempt in request.attempts)
    # What the gate refused to believe in comes last; the next structure is tried before.
    tried = {describe.structure_name(attempt.proposal.diagnosis) for attempt in request.attempts}
    found: list[Candidate] = []
    story: list[str] = []
    for structure in _untried_first(structures(request, task), tried):
        candidates = tune(task, structure, budget, stiffness, refused)
        story.append(describe.line(candidates, structure.name))
        found += candidates
        if any(c.convincing for c in candidates):
            break
    ranked = sorted(found, key=lambda c: (not c.convincing, 0.0 if c.convincing else -c.score.value))
    hopeful = [c for c in ranked if c.score.pass_rate > 0.0][: budget.proposals]
    return tuple(describe.proposal(request, c, budget.validations) for c in hopeful), tuple(story)


def _untried_first(stream: Iterable[Structure], tried: set[str]) -> Iterator[Structure]:
    """Lazily: a structure is only measured and written when it is its turn."""
    later = []
    for structure in stream:
        if structure.name in tried:
            later.append(structure)
        else:
            yield structure
    yield from later


def stiffness_of(request: RepairRequest) -> Stiffness:
    """Every refusal asks for other draws, harder ones, and a wider margin."""
    refusals = len(request.attempts)
    return Stiffness(
        seed=request.seed + 1000 * refusals,
        strength=min(1.0, 0.8 + 0.1 * refusals),
        margin=request.min_robustness * (1.5 + refusals),
    )
