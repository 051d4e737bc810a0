"""What a caller may choose for a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from healing_runtime.brains.brain import Brain, BrainContext
from healing_runtime.supervisor.approval import Ask, Decide

if TYPE_CHECKING:
    from healing_runtime.gate.standing import Find
    from healing_runtime.supervisor.memoir import Memoir
    from healing_runtime.supervisor.recall import TakenOver


@dataclasses.dataclass(frozen=True)
class Settings:
    """Choices of a run that the scenario does not make.

    `brain` is a name of `brains/catalogue.py` or `none`; `make_brain` replaces it (replay hands in the recorded
    proposals). `wall_budget` False leaves the scenario's wall budget out, as a replay must.
    `executables` is the ledger that names executables of earlier runs; None is the one that this run writes to.
    `memory` False asks the patch memory for nothing and leaves nothing in it; `evidence` finds by its hash what a patch
    stands on, in place of the user's cache (a replay finds it in the record). It is not asked about incidents that are
    `answered`: the record of a run that goes on has their attempts.
    `until_tick` ends the flight there without a verdict on what is open, for the replay of a run that was cut off;
    `recall` says what is taken over from a record. `approve` asks a person about a patch where the scenario wants that;
    `decide` replaces it (replay hands in the recorded decisions). `reopen` goes on with the record of a run in place of
    making a new one.
    """

    brain: str = "embedded"
    brain_fallback: bool = True
    strict: bool = False
    out: Path | None = None
    make_brain: Callable[[BrainContext], Brain] | None = None
    wall_budget: bool = True
    remember: bool = True
    memory: bool = True
    evidence: Find | None = None
    answered: frozenset[str] = frozenset()
    until_tick: int | None = None
    executables: Path | None = None
    recall: TakenOver | None = None
    approve: Ask | None = None
    decide: Decide | None = None
    reopen: Callable[..., Memoir] | None = None
