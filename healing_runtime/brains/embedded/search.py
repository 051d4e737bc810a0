"""The search, run as one job of a sandbox worker: a request in, proposals and a short story out.

Cheap first: the numbers of the controller that failed, then controller families for the robot, simple ones before rich
ones. A structure that convinces on fresh draws ends the search. Everything is ranked on the robot's twin, by the
scenario's own assertions and mission; the gate decides in PyBullet.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from healing_runtime import workspace
from healing_runtime.brains.embedded import describe
from healing_runtime.brains.embedded.budget import Budget
from healing_runtime.brains.embedded.compiling import once
from healing_runtime.brains.embedded.incident import Suspects, suspects
from healing_runtime.brains.embedded.judge import Judge
from healing_runtime.brains.embedded.rollout import Draws, Rollout
from healing_runtime.brains.embedded.structures import Plan, plans
from healing_runtime.brains.embedded.task import Task, task_of
from healing_runtime.brains.embedded.tuning import Candidate, Fly, Hardness, Structure, tune
from healing_runtime.core import codec
from healing_runtime.core.plant import Robot
from healing_runtime.core.records import Proposal, RepairRequest
from healing_runtime.language import controller
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
    refused = frozenset(attempt.proposal.source for attempt in request.attempts)
    found: list[Candidate] = []
    story: list[str] = []
    for structure, fly, suspected in _ready(task, request, budget):
        candidates = tune(task, structure, fly, budget, hardness(request, suspected), refused)
        story.append(describe.line(candidates, structure.name))
        found += candidates
        if any(c.convincing for c in candidates):
            break
    ranked = sorted(found, key=lambda c: (not c.convincing, 0.0 if c.convincing else -c.score.value))
    hopeful = [c for c in ranked if c.score.pass_rate > 0.0][: budget.proposals]
    return tuple(describe.proposal(request, c, budget.validations) for c in hopeful), tuple(story)


def hardness(request: RepairRequest, suspected: Suspects) -> Hardness:
    """Every refusal asks for other draws, harder ones, and a wider margin."""
    refusals = len(request.attempts)
    return Hardness(
        seed=request.seed + 1000 * refusals,
        strength=min(1.0, 0.8 + 0.1 * refusals),
        margin=request.min_robustness * (1.5 + refusals),
        suspects=suspected,
    )


def _ready(task: Task, request: RepairRequest, budget: Budget) -> Iterator[tuple[Structure, Fly, Suspects]]:
    """Structures with their compiled flights, in order, and what may have happened.

    Compiling is most of the time of a search. With more than one core the next structures are compiled while the first
    is searched; what comes out does not depend on it.
    """
    cores = len(os.sched_getaffinity(0))
    pool = ThreadPoolExecutor(cores)
    draws = once(lambda: Draws(task.twin))
    original = pool.submit(lambda: Rollout(task, draws(), task.original))
    judge = pool.submit(Judge, task)

    def make(plan: Plan) -> tuple[Structure, Fly] | None:
        structure = plan.make()
        if structure is None:
            return None
        own = structure.parsed is task.parsed
        rollout = original.result() if own else Rollout(task, draws(), controller.load(structure.parsed))
        return structure, functools.partial(rollout.fly, judge.result())

    try:
        waiting = _untried_first(plans(request, task, draws), request)
        ahead: list[Future[tuple[Structure, Fly] | None]] = []
        if cores > 1:
            ahead = [pool.submit(make, waiting.pop(0)) for _ in waiting[:cores]]
        found = suspects(request, task, original.result(), judge.result(), draws=budget.draws, keep=budget.suspects)
        while ahead or waiting:
            made = ahead.pop(0).result() if ahead else make(waiting.pop(0))
            if waiting and cores > 1:
                ahead.append(pool.submit(make, waiting.pop(0)))
            if made is not None:
                yield (*made, found)
    finally:
        # What was compiled ahead and is not needed is let go of; nobody waits for it.
        pool.shutdown(wait=False, cancel_futures=True)


def _untried_first(found: Sequence[Plan], request: RepairRequest) -> list[Plan]:
    """What the gate refused to believe in comes last; the next structure is tried before."""
    tried = {describe.structure_name(attempt.proposal.diagnosis) for attempt in request.attempts}
    return sorted(found, key=lambda plan: plan.name in tried)
