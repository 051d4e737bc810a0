"""Flights whose verdicts are wanted one by one: the worker job, and the fleet that asks for it.

A flight is flown by the program of the live loop, in PyBullet, without a brain: to its end or to its first trip, as
`heal run --brain none` flies it.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core.codec import read
from healing_runtime.core.errors import SandboxFailed, WorkerFailed
from healing_runtime.core.records import FinalVerdict, Scenario
from healing_runtime.gate.whole_flights import jobs, opened
from healing_runtime.loop.rollout import FlightPlan, fly
from healing_runtime.sandbox.messages import Message
from healing_runtime.sandbox.zygote import Sandbox
from healing_runtime.workspace import own_mistakes

MODULES = ("numpy", "jax", "pybullet", "healing_runtime.gate.build", "healing_runtime.campaign.flying")
"""What the workers of a campaign need imported."""
CHUNK = 8
"""Most flights a worker gets at a time: few enough that a kill loses little, enough to pay for the fork."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a flight showed: every verdict, and what tripped it if something did."""

    verdicts: tuple[FinalVerdict, ...]
    trip_tick: int | None
    tripped: tuple[str, ...]


# ---------------------------------------------------------------- in the worker
def fly_job(message: Message) -> Message:
    """Load the program, fly the list in order, give each flight's outcome; InputError where the robot's code raises."""
    scenarios, _, program, robot, plant = opened(message)
    outcomes = []
    for scenario in scenarios:
        with own_mistakes(robot):
            flight = fly(plant, program, FlightPlan(scenario, scenario.seed))
        outcomes.append(Outcome(flight.verdicts, flight.trip_tick, flight.tripped))
    plant.close()
    return Message({"outcomes": outcomes})


# ---------------------------------------------------------------- asking for it
class Fleet:
    """One program and the workers that fly it."""

    def __init__(self, sandbox: Sandbox, program: ProgramBlob, sim_root: str) -> None:
        self._sandbox, self._program, self._sim_root = sandbox, program, sim_root

    def fly(self, scenarios: Sequence[Scenario]) -> Iterator[Outcome]:
        """Outcomes in the order of the scenarios, however many workers fly them.

        Raises:
            WorkerFailed: a worker did not survive its flights.
        """
        size = min(CHUNK, -(-len(scenarios) // self._sandbox.workers))
        lists = [scenarios[i : i + size] for i in range(0, len(scenarios), size)]
        waiting = deque(jobs("healing_runtime.campaign.flying:fly_job", self._program, self._sim_root, lists))
        running: deque[Future[Message]] = deque()
        while waiting or running:
            while waiting and len(running) < self._sandbox.workers:
                running.append(self._sandbox.submit(waiting.popleft()))
            try:
                answer = running.popleft().result()
            except SandboxFailed:
                raise
            except WorkerFailed as error:
                raise WorkerFailed(f"a flight did not end well, its worker was lost ({error.reason})") from error
            yield from read(tuple[Outcome, ...], answer.header["outcomes"])  # type: ignore[arg-type]
