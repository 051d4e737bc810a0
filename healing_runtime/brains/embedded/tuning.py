"""Finding numbers for one structure: search, take back what is not needed, validate on fresh draws."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from healing_runtime.brains.embedded import evolve
from healing_runtime.brains.embedded.budget import Budget
from healing_runtime.brains.embedded.evolve import Member, Point
from healing_runtime.brains.embedded.incident import Suspects
from healing_runtime.brains.embedded.rollout import Flights
from healing_runtime.brains.embedded.score import Score, score
from healing_runtime.brains.embedded.space import Space, leaves
from healing_runtime.brains.embedded.task import Task
from healing_runtime.language import source
from healing_runtime.language.source import Parsed

# A scaled margin that fresh draws do not eat up; with less, the margin counts for more than a short patch.
CLEAR = 0.1
# A real sign error shows plainly, as failure. A turned sign that only wins some margin is a trick on the assertions
# (a body that spins lets its drift cancel out), not a repair.
TURN_COST = 0.5
MANY = 1000
# Patches with more numbers than this are not made simpler by taking one back.
SHORTEST = 5

Fly = Callable[[Sequence[Any], np.ndarray, np.ndarray], Flights]
"""(PARAMS trees, seeds, strengths) -> flights of every tree with every seed."""


@dataclasses.dataclass(frozen=True)
class Structure:
    """A controller whose numbers are open.

    Attributes:
        name: heads the diagnosis of every proposal made from it.
        parsed: the source with first numbers.
        space: the numbers that are searched.
        edit_kind: what a proposal made from it is.
        summary: what the structure is, for people.
    """

    name: str
    parsed: Parsed
    space: Space
    edit_kind: Literal["parameters", "file"]
    summary: str


class Candidate(NamedTuple):
    """A find, validated on draws that its search had not seen. `before` is the structure with its first numbers."""

    structure: Structure
    text: str
    values: tuple[float, ...]
    score: Score
    before: Score
    convincing: bool
    generations: int


class Hardness(NamedTuple):
    """How hard the flights are; every refusal of the gate asks for a little more.

    Attributes:
        seed: of draws and strategy.
        strength: the largest disturbance strength of the prior that is flown (1 is all of it).
        margin: scaled robustness asked for.
        suspects: draws under which the failed controller flew as the log says.
    """

    seed: int
    strength: float
    margin: float
    suspects: Suspects


def structure_of(
    name: str, parsed: Parsed, kind: Literal["parameters", "file"], summary: str, only: Sequence[str] = ()
) -> Structure:
    """A structure over all numbers of PARAMS, or over the top-level entries named in `only`."""
    found = (leaf for leaf in leaves(parsed.params) if not only or leaf.path[0] in only)
    return Structure(name, parsed, Space(tuple(found)), kind, summary)


def tune(
    task: Task, structure: Structure, fly: Fly, budget: Budget, hardness: Hardness, refused: frozenset[str]
) -> list[Candidate]:
    """Candidates of one structure, best first; none of them reads as a refused one."""

    def values(points: list[Point]) -> list[tuple[float, ...]]:
        return [structure.space.values(*point) for point in points]

    def searched(points: list[Point], generation: int, flights: int) -> list[Score]:
        hard = hardness.suspects.every(0, 2).window(generation, flights // 2)
        scores = _flown(task, structure, fly, values(points), hardness, hard, generation, flights)
        turned = (TURN_COST * np.count_nonzero(point.signs < 0.0) for point in points)
        return [dataclasses.replace(s, value=s.value - cost) for s, cost in zip(scores, turned, strict=True)]

    members, generations = evolve.search(searched, structure.space.size, seed=hardness.seed, budget=budget)
    finalists = _finalists(structure, members, refused, budget)
    origin = values([Point(np.zeros(structure.space.size), np.ones(structure.space.size))])[0]
    fresh = hardness.suspects.every(1, 2).window(0, budget.validations // 2)
    before, *scores = _flown(task, structure, fly, [origin, *finalists], hardness, fresh, -1, budget.validations)
    candidates = [
        Candidate(structure, text_of(structure, found), found, score, before, _convincing(score, budget), generations)
        for found, score in zip(finalists, scores, strict=True)
    ]
    return _ranked(structure, candidates)


def _convincing(score: Score, budget: Budget) -> bool:
    """Nearly all that resembles the incident succeeds, and most of what might happen besides."""
    return score.likely >= budget.likely_rate and score.pass_rate >= budget.pass_rate


def text_of(structure: Structure, values: Sequence[float]) -> str:
    """The structure's source with these numbers."""
    return source.with_params(structure.parsed, structure.space.params(structure.parsed.params, values))


def _flown(
    task: Task,
    structure: Structure,
    fly: Fly,
    candidates: list[tuple[float, ...]],
    hardness: Hardness,
    suspects: Suspects,
    generation: int,
    flights: int,
) -> list[Score]:
    """Scores of candidates that all meet the same disturbances: fresh draws of the prior, and suspects."""
    fresh = flights - len(suspects.seeds)
    seeds = np.concatenate([_seeds(hardness.seed, generation, fresh), suspects.seeds])
    strengths = np.concatenate([np.linspace(0.0, hardness.strength, fresh), suspects.strengths])
    trees = [structure.space.params(structure.parsed.params, values) for values in candidates]
    return score(fly(trees, seeds, strengths), task.trips, hardness.margin, len(trees), len(suspects.seeds))


def _seeds(seed: int, generation: int, count: int) -> np.ndarray:
    digest = hashlib.sha256(f"{seed}/{generation}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8])).integers(2**32, size=count)


def _finalists(
    structure: Structure, members: list[Member], refused: frozenset[str], budget: Budget
) -> list[tuple[float, ...]]:
    """What is validated: the best members, and where only numbers change also simpler patches than those.

    Simpler are the best members that move one or two numbers, and the best of all with its smallest changes taken back.
    """
    best = _distinct(structure, members, budget.finalists)
    if structure.edit_kind == "parameters" and best:
        few = [m for m in members if np.count_nonzero((m.point.z != 0.0) | (m.point.signs < 0.0)) <= 2]
        best += _distinct(structure, few, budget.finalists) + _taken_back(structure, best[0])
    unique = dict.fromkeys(best)
    if structure.edit_kind == "parameters":
        refused |= {structure.parsed.source.text}
    return [values for values in unique if text_of(structure, values) not in refused]


def _distinct(structure: Structure, members: list[Member], count: int) -> list[tuple[float, ...]]:
    """Values of the best members whose numbers differ somewhere by more than a tenth."""
    kept: list[tuple[float, ...]] = []
    for member in members:
        values = structure.space.values(*member.point)
        if not any(np.allclose(values, other, rtol=0.1, atol=1e-6) for other in kept):
            kept.append(values)
        if len(kept) == count:
            break
    return kept


def _taken_back(structure: Structure, values: tuple[float, ...]) -> list[tuple[float, ...]]:
    """The same with fewer and fewer changes, down to one; the smallest are taken back first."""
    first = [leaf.value for leaf in structure.space.tunable]
    left, out = list(values), []
    order = sorted((i for i in range(len(first)) if left[i] != first[i]), key=lambda i: _change(first[i], left[i]))
    for i in order[:-1]:
        left[i] = first[i]
        out.append(tuple(left))
    return out[-SHORTEST:]


def _change(old: float, new: float) -> float:
    if old * new <= 0.0:
        return 10.0 if old != new else 0.0
    return abs(float(np.log(new / old)))


def _ranked(structure: Structure, found: list[Candidate]) -> list[Candidate]:
    """Best first. Of changes of numbers that all keep well clear of the incident, the smallest leads."""

    def key(candidate: Candidate) -> tuple[bool, int, float]:
        clear = candidate.convincing and candidate.score.likely_worst >= CLEAR
        few = _changes(structure, candidate.values) if structure.edit_kind == "parameters" and clear else MANY
        return not candidate.convincing, few, -candidate.score.value

    return sorted(found, key=key)


def _changes(structure: Structure, values: Sequence[float]) -> int:
    """How much a reviewer has to think about: a turned sign is a stranger change than another size."""
    pairs = [(leaf.value, value) for leaf, value in zip(structure.space.tunable, values, strict=True)]
    return sum((old != new) + (old * new < 0.0) for old, new in pairs)
