"""Which other scenarios of a robot its original controller passes: what no patch of the run may lose."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future

from healing_runtime.core.errors import InputError, SandboxFailed, WorkerFailed
from healing_runtime.gate.build import Garage
from healing_runtime.gate.flights import Leg, reports_of
from healing_runtime.gate.records import Course
from healing_runtime.gate.trials import MAX_REGRESSIONS
from healing_runtime.sandbox.messages import Message

ROUND = 16
"""Courses flown before it is looked whether there are enough. Fixed, so that the outcome is the same for any number of
workers."""
JOB = 8
"""Flights that one worker flies: enough that starting it and loading the program does not cost more than they do."""

Ask = Callable[[Course, Sequence[Leg]], Future[Message]]


def qualify(garage: Garage, ask: Callable[..., Future[Message]], courses: Iterable[Course]) -> tuple[Course, ...]:
    """The first ten that the garage's controller passes, in the order given; later ones are not even looked at.

    `ask(program, legs)` starts a worker on flights.
    """

    def fly(course: Course, legs: Sequence[Leg]) -> Future[Message]:
        return ask(garage.program(course), legs)

    passed: list[Course] = []
    waiting = iter(courses)
    while len(passed) < MAX_REGRESSIONS and (some := list(itertools.islice(waiting, ROUND))):
        passed += _passing(fly, some)
    return tuple(passed[:MAX_REGRESSIONS])


def _passing(fly: Ask, courses: Sequence[Course]) -> list[Course]:
    kept: set[int] = set()
    running: list[tuple[list[int], list[Leg], Future[Message]]] = []
    for numbers in _jobs(courses):
        legs = [Leg(courses[n].scenario) for n in numbers]
        with not_passing():
            running.append((numbers, legs, fly(courses[numbers[0]], legs)))
    for numbers, legs, future in running:
        try:
            kept.update(_kept(numbers, legs, future))
        except SandboxFailed:
            raise
        except (InputError, WorkerFailed):  # one of them was too much for the worker: each by itself
            for n, leg in zip(numbers, legs, strict=True):
                with not_passing():
                    kept.update(_kept([n], [leg], fly(courses[n], [leg])))
    return [course for n, course in enumerate(courses) if n in kept]


def _kept(numbers: Sequence[int], legs: Sequence[Leg], future: Future[Message]) -> list[int]:
    reports = reports_of(future.result(), legs)
    return [n for n, report in zip(numbers, reports, strict=True) if report.kept]


def _jobs(courses: Sequence[Course]) -> Iterator[list[int]]:
    """Numbers of courses that share a program, at most `JOB` at a time."""
    groups: dict[str, list[int]] = {}
    for number, course in enumerate(courses):
        groups.setdefault(course.judges, []).append(number)
    for numbers in groups.values():
        yield from (numbers[i : i + JOB] for i in range(0, len(numbers), JOB))


@contextlib.contextmanager
def not_passing() -> Iterator[None]:
    """A controller that does not trace at another rate, or kills its worker, does not pass there."""
    try:
        yield
    except SandboxFailed:
        raise
    except (InputError, WorkerFailed):
        return
