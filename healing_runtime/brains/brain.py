"""The seam between the runtime and whoever writes patches: one method, one context, one conformance suite.

A brain sees a `RepairRequest` and answers with proposals, best first. It judges nothing: every proposal goes through
the gate, and a refusal comes back inside the next request. Brains are stateless: all that was tried is in the request.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from healing_runtime.core import codec
from healing_runtime.core.records import Proposal, RepairRequest
from healing_runtime.core.signals import SignalTable

_NAME = re.compile(r"[a-z][a-z0-9_]*(:\S+)?")
_SURROGATES = range(0xD800, 0xE000)


@runtime_checkable
class Brain(Protocol):
    """Writes patches.

    Attributes:
        name: `brain[:model]`, as it stands in records and evidence.
    """

    name: str

    def propose(self, request: RepairRequest) -> tuple[Proposal, ...]:
        """Answer a request, best proposal first; each is one attempt. Empty: nothing (more) to offer.

        Raises:
            BrainUnavailable: unreachable, without a key, blocked, out of time or budget. The message says which.
        """
        ...

    def close(self) -> None:
        """Let go of connections and files. May be called twice; `propose` is not called afterwards."""
        ...


@dataclasses.dataclass(frozen=True)
class Usage:
    """What answers cost, in tokens as the provider counts them, and in calls over the wire (retries included)."""

    calls: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    thought_tokens: int = 0
    cached_tokens: int = 0
    total_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)))


@dataclasses.dataclass(frozen=True)
class Exchange:
    """One prompt and what came back, verbatim, for the ledger. Keys are cut out before it is made.

    `outcome` is `answered`, `malformed`, `blocked`, `truncated` or `failed`; `detail` says more about the last four.
    """

    brain: str
    incident_id: str
    turn: int
    system: str
    prompt: str
    answer: str
    outcome: str
    detail: str = ""
    usage: Usage = dataclasses.field(default_factory=Usage)
    wall_s: float = 0.0


def _ignore(_: Any) -> None:
    """Stand in for a callback that nobody gave."""


@dataclasses.dataclass(frozen=True)
class BrainContext:
    """What a brain is given once, when it is made.

    Attributes:
        sandbox: where a searching brain runs its workers (`healing_runtime.sandbox.zygote.Sandbox`), or None.
        robot_name: the robot of the scenario.
        sim_root: the folder that robot was loaded from.
        seed: seed of the run; a brain that draws, draws from this and the request's seed alone.
        narrate: told, once each, what a person should know (a remote brain says what it sends).
        record: receives every `Exchange` of a remote brain.
        signals: the robot's signal table; loaded from `sim_root` when a brain needs it and it is not given.
        deadline_s: wall-clock limit for one call of `propose` of a remote brain.
    """

    sandbox: Any = None
    robot_name: str = ""
    sim_root: Path | str | None = None
    seed: int = 0
    narrate: Callable[[str], None] = _ignore
    record: Callable[[Exchange], None] = _ignore
    signals: SignalTable | None = None
    deadline_s: float = 120.0

    def table(self) -> SignalTable | None:
        """Return the robot's signal table, or None if the context names no place to load it from."""
        if self.signals is not None or self.sim_root is None:
            return self.signals
        from healing_runtime import workspace

        return workspace.load_robot(self.robot_name, Path(self.sim_root)).signals


# ---------------------------------------------------------------- conformance
def check(brain: Brain, request: RepairRequest) -> tuple[str, ...]:
    """Ask a brain once and return every way in which it broke the contract; empty when it kept it.

    Every brain passes this in the tests, and the author of a new one can call it on a request of their own. It says
    nothing about the quality of the proposals.

    Raises:
        BrainUnavailable: whatever `brain.propose` raised.
    """
    if not isinstance(brain, Brain):
        return ("a brain has a `name`, `propose(request)` and `close()`",)
    found = []
    if not (isinstance(brain.name, str) and _NAME.fullmatch(brain.name)):
        found.append(f"the name {brain.name!r} does not read `brain[:model]`")
    # A brain must live on what survives serialisation, so that is what it gets.
    given = codec.read(RepairRequest, codec.plain(request))
    proposals = brain.propose(given)
    if codec.digest(given) != codec.digest(request):
        found.append("the request was changed")
    if not isinstance(proposals, tuple):
        return (*found, f"propose returned {type(proposals).__name__}, not a tuple")
    for i, proposal in enumerate(proposals):
        found += [f"proposal {i}: {fault}" for fault in _faults(proposal)]
    brain.close()
    brain.close()
    return tuple(found)


def _faults(proposal: Any) -> list[str]:
    if not isinstance(proposal, Proposal):
        return [f"{type(proposal).__name__} is not a Proposal"]
    found = []
    if proposal.edit_kind not in ("parameters", "file"):
        found.append(f"edit_kind {proposal.edit_kind!r} is neither 'parameters' nor 'file'")
    if not (isinstance(proposal.source, str) and proposal.source.strip()):
        found.append("the source is empty; it holds the whole controller file")
    elif any(ord(c) in _SURROGATES for c in proposal.source):
        found.append("the source is not valid Unicode")
    if not (isinstance(proposal.diagnosis, str) and proposal.diagnosis.strip()):
        found.append("the diagnosis is empty; a reviewer reads it first")
    assumptions = proposal.changed_assumptions
    if not (isinstance(assumptions, tuple) and all(isinstance(a, str) for a in assumptions)):
        found.append("changed_assumptions is not a tuple of text")
    if not found and codec.read(Proposal, codec.plain(proposal)) != proposal:
        found.append("it does not survive serialisation")
    return found
