"""The embedded brain: the default, without network or key."""

from __future__ import annotations

from healing_runtime.brains.brain import BrainContext
from healing_runtime.core import codec
from healing_runtime.core.errors import BrainUnavailable
from healing_runtime.core.records import Proposal, RepairRequest
from healing_runtime.sandbox.messages import Job, Limits, Message

JOB = "healing_runtime.brains.embedded.search:run"
# Only a stop for what hangs: work is counted in generations, so the clock selects nothing.
LIMITS = Limits(wall_s=60.0, cpu_s=240.0)


class EmbeddedBrain:
    """Searches for a better controller in a worker that uses all cores. Deterministic for a seed."""

    name = "embedded"

    def __init__(self, context: BrainContext) -> None:
        """`context` names the robot, where its twin is loaded from, and the sandbox to search in."""
        self._context = context

    def propose(self, request: RepairRequest) -> tuple[Proposal, ...]:
        """Proposals, best first; empty when the search found nothing that ever succeeded.

        Raises:
            BrainUnavailable: there is no sandbox, or no robot to load.
            WorkerFailed: the search died or ran out of time.
        """
        context = self._context
        if context.sandbox is None or context.sim_root is None:
            raise BrainUnavailable("embedded: it searches in a sandbox on the robot's twin, and was given none.")
        header = {"request": codec.plain(request), "robot": context.robot_name, "sim_root": str(context.sim_root)}
        limits = LIMITS.reading(context.sim_root)
        answer = context.sandbox.run(Job(JOB, Message(header), limits, nproc=None)).header
        for line in answer["story"]:
            context.narrate(f"embedded: {line}")
        return tuple(codec.read(Proposal, proposal) for proposal in answer["proposals"])

    def close(self) -> None:
        """Nothing is held."""
