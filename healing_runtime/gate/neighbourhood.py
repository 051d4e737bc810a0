"""The held-out examination: fresh neighbours of the scenario, drawn after the candidate is fixed.

Which flights count does not depend on how many workers fly them: they are numbered, results are taken in that order,
and the examination ends at the first number at which the verdict is certain.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import NamedTuple, TypeVar

import numpy as np

from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.core import codec, perturb
from healing_runtime.core.bearing import Bears
from healing_runtime.core.errors import InputError, WorkerFailed
from healing_runtime.core.records import Acceptance, Scenario
from healing_runtime.gate import statistics
from healing_runtime.gate.flights import Leg, ask_flights, reports_of
from healing_runtime.gate.report import FlightReport
from healing_runtime.sandbox.leash import call_off
from healing_runtime.sandbox.messages import Message
from healing_runtime.sandbox.zygote import Sandbox

T = TypeVar("T")

CHUNK = 24
"""Flights a worker gets at a time: few enough to stop soon, enough that starting it costs little beside them."""


_ENDS = re.compile(
    r"timed out|killed by SIG[A-Z]+|spent its CPU time|ran out of memory|hung up without an answer"
    r"|answered outside the schema|exited with status \d+ without an answer"
)


class Examination(NamedTuple):
    """Counts of one examination, and nothing that tells which neighbours failed.

    `flown` is the number at which the verdict became certain; `lower_bound` counts what was not flown as failed;
    `digest` is over the digests of the flights that were counted, in their order.
    """

    accepted: bool
    number: int
    samples: int
    flown: int
    passed: int
    needed: int
    confidence: float
    lower_bound: float
    digest: str

    @property
    def counts(self) -> dict[str, object]:
        """What may be told of an examination that was not passed."""
        return {name: value for name, value in self._asdict().items() if name != "digest"}


def generator(run_seed: int, incident: str, candidate: str, examination: int) -> np.random.Generator:
    """The source of one examination's draws, keyed by everything that makes it fresh."""
    key = hashlib.sha256(codec.canonical([run_seed, incident, candidate, examination])).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(key, "big")))


def neighbours(scenario: Scenario, rng: np.random.Generator, bears: Bears | None = None) -> tuple[Scenario, ...]:
    """The samples that the scenario's `acceptance` asks for, within what the robot bears."""
    return tuple(perturb.draw(scenario, rng, bears) for _ in range(scenario.acceptance.samples))


def examine(
    sandbox: Sandbox,
    program: ProgramBlob,
    scenarios: Sequence[Scenario],
    acceptance: Acceptance,
    number: int,
    sim_root: str,
) -> Examination:
    """Fly the neighbours until the verdict is certain. WorkerFailed if a flight's worker does not survive."""
    confidence = statistics.examination_confidence(acceptance.confidence)
    samples = len(scenarios)
    needed = statistics.passes_needed(samples, acceptance.min_pass_rate, confidence)
    needed = samples + 1 if needed is None else needed
    allowed = samples - needed

    started: list[Future[Message]] = []
    digests: list[str] = []

    def start(chunk: Sequence[Scenario]) -> Callable[[], Sequence[FlightReport]]:
        legs = [Leg(scenario) for scenario in chunk]
        future = ask_flights(
            sandbox, program, legs, sim_root, until="failures", allowed_failures=max(allowed, 0), with_log=False
        )
        started.append(future)
        return lambda: reports_of(future.result(), legs)

    def counted() -> Iterator[bool]:
        for report in _in_order(start, scenarios, sandbox.workers):
            digests.append(report.digest)
            yield report.kept

    try:
        flown, passed = decide(counted(), samples, needed)
    finally:  # what is in the air when the verdict is certain counts for nothing
        call_off(started)
    bound = statistics.lower_bound(passed, samples, confidence) if samples else 0.0
    digest = codec.digest(digests)
    return Examination(passed >= needed, number, samples, flown, passed, needed, confidence, bound, digest)


def end_of(error: InputError | WorkerFailed) -> str:
    """How the worker of a held-out flight ended, in none of its own words."""
    told = error.reason if isinstance(error, WorkerFailed) else ""
    return told if _ENDS.fullmatch(told) else "it failed"


def decide(results: Iterable[bool], samples: int, needed: int) -> tuple[int, int]:
    """(flown, passed) at the first number at which it is certain whether `needed` of `samples` pass."""
    flown = passed = 0
    if samples < needed:
        return 0, 0
    for good in results:
        flown, passed = flown + 1, passed + good
        if passed >= needed or flown - passed > samples - needed:
            break
    return flown, passed


def _in_order(
    start: Callable[[Sequence[Scenario]], Callable[[], Iterable[T]]], scenarios: Sequence[Scenario], workers: int
) -> Iterator[T]:
    """Results in the order of the scenarios; as many chunks are in flight as there are workers."""
    pending = deque(scenarios[i : i + CHUNK] for i in range(0, len(scenarios), CHUNK))
    running: deque[Callable[[], Iterable[T]]] = deque()
    while pending or running:
        while pending and len(running) < workers:
            running.append(start(pending.popleft()))
        yield from running.popleft()()


def must_be_provable(acceptance: Acceptance) -> str:
    """Why no patch could ever pass this acceptance, or nothing."""
    confidence = statistics.examination_confidence(acceptance.confidence)
    if (
        acceptance.samples == 0
        or statistics.passes_needed(acceptance.samples, acceptance.min_pass_rate, confidence) is not None
    ):
        return ""
    if not acceptance.min_pass_rate < 1:
        return "acceptance.neighbourhood.min_pass_rate must be below 1: no number of samples proves it."
    least = statistics.samples_needed(acceptance.min_pass_rate, confidence)
    return (
        f"acceptance.neighbourhood.samples is {acceptance.samples}, which cannot prove a pass rate of "
        f"{acceptance.min_pass_rate:g} at confidence {acceptance.confidence:g} even if all pass; use at least {least}."
    )
