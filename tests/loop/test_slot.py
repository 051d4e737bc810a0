"""The slot under a running loop: real executables, thousands of swaps, no torn and no stale tick."""

import dataclasses
import sys
import threading
import time

import numpy as np
import pytest

from healing_runtime.compile import export, programs
from healing_runtime.language import controller, source, trace
from healing_runtime.loop.recorder import Recorder
from healing_runtime.loop.rollout import advance
from healing_runtime.loop.slot import Slot
from tests.loop.integrator import SCENARIO, TABLE, Integrator, program

HZ = 10
SWAPS = 4_000
MOST_TICKS = 400_000
SOURCE = """
import jax.numpy as jnp

PARAMS = {"mark": 0.0}

def init(params):
    return {"mark": 0.0, "ticks": jnp.zeros((), jnp.int32)}

def control(obs, state, params):
    mark = params["mark"] + 0.0 * jnp.sum(jnp.sin(jnp.arange(64.0) + obs["position_m"]))
    return {"velocity_mps": mark}, {"mark": mark, "ticks": state["ticks"] + 1}
"""
WIDER = SOURCE.replace('"mark": 0.0, "ticks"', '"a": jnp.zeros(7), "mark": 0.0, "ticks"').replace(
    '{"mark": mark,', '{"a": state["a"] + mark, "mark": mark,'
)


def built(text):
    traced = trace.trace(controller.load(source.parse(text)), TABLE, 1.0 / HZ)
    return programs.load(programs.build(export.export_controller(traced, None, HZ), (), TABLE, HZ))


@pytest.fixture(scope="module")
def kinds():
    """Two executables of different memory. Each writes the mark of its parameters into the action and the memory."""
    return built(SOURCE), built(WIDER)


@pytest.fixture
def _eager_threads():
    """Let Python change threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Enough(Exception):
    """The flight may end."""


class Counting(Integrator):
    """Counts the ticks that have begun, and ends the flight after enough swaps."""

    def __init__(self, landed):
        super().__init__()
        self.begun, self.flies, self.landed = 0, threading.Event(), landed

    def observe(self):
        if len(self.landed) >= SWAPS and self.begun >= SWAPS:
            raise Enough
        self.begun += 1
        self.flies.set()
        return super().observe()


def marked(kind, number):
    return dataclasses.replace(kind, params=np.array([number], np.float32))


def fly_with_swaps(kinds, swap):
    """A flight beside a thread that calls `swap(slot, program)` over and over; rows, and (ticks begun, mark) a swap."""
    scenario = dataclasses.replace(SCENARIO, duration_ticks=MOST_TICKS)
    done, landed = threading.Event(), []
    slot, recorder, plant = Slot(marked(kinds[0], 0)), Recorder(scenario, TABLE), Counting(landed)
    plant.reset(scenario, 0)

    def swapping():
        number = 0
        plant.flies.wait()
        while not done.is_set():
            number += 1
            swap(slot, marked(kinds[number % 2], number))
            landed.append((plant.begun, number))
            time.sleep(0)  # let the loop fly on

    other = threading.Thread(target=swapping)
    other.start()
    try:
        with pytest.raises(Enough):
            advance(plant, slot, recorder, slot.live.start(), 0, MOST_TICKS, keyframes=False)
    finally:
        done.set()
        other.join()
    return recorder.packed[: recorder.count], landed


def seen(kinds, row):
    """Mark and number of ticks in a row, read as its own program writes it; None if two programs had a hand in it."""
    mark = int(row[0])
    interface = kinds[mark % 2].interface
    memory = row[interface.slices["state_floats"]]
    whole = np.isfinite(row[: interface.packed_size]).all() and np.isnan(row[interface.packed_size :]).all()
    return (mark, int(row[interface.slices["state_ints"]][0])) if whole and memory[-1] == mark else None


def faults(kinds, rows, landed):
    """What is torn, stale or forgotten, in words."""
    marks, found = [], []
    for tick, row in enumerate(rows):
        if (one := seen(kinds, row)) is None:
            found.append(f"tick {tick} is torn")
            marks.append(-1)
            continue
        marks.append(one[0])
        if one[1] != tick + 1:
            found.append(f"tick {tick} remembers {one[1]} ticks")
    # A tick reads the slot before it begins: the one after it at the latest flies what was swapped in.
    found += [f"tick {n + 1} misses swap {m}" for n, m in landed if n + 1 < len(marks) and marks[n + 1] < m]
    return found + [f"tick {k + 1} goes back" for k in np.flatnonzero(np.diff(marks) < 0)]


def swap(slot, program):
    slot.offer(program)
    slot.swap()


@pytest.mark.usefixtures("_eager_threads")
def test_thousands_of_swaps_under_a_running_loop(kinds):
    rows, landed = fly_with_swaps(kinds, swap)
    assert len({int(row[0]) for row in rows}) > 100, "the loop and the swaps took turns"
    assert faults(kinds, rows, landed) == []


def late(slot, program):
    """Says that it swapped before it has."""
    if slot.previous is not None:
        slot.live = slot.previous
    slot.previous = program


@pytest.mark.usefixtures("_eager_threads")
def test_a_stale_slot_would_be_seen(kinds):
    rows, landed = fly_with_swaps(kinds, late)
    assert any("misses swap" in fault for fault in faults(kinds, rows, landed))


def test_a_torn_row_would_be_seen(kinds):
    rows = [np.array([2.0, 0.0, 1.0, 3.0, 1.0]), np.array([2.0, 0.0, 1.0, 2.0, 2.0])]
    width = max(kind.interface.packed_size for kind in kinds)
    padded = [np.concatenate([row, np.full(width - row.size, np.nan)]) for row in rows]
    assert faults(kinds, padded, []) == ["tick 0 is torn"]


@pytest.mark.parametrize("line", range(1, 12))
def test_an_offer_that_meets_a_swap_is_not_lost(line):
    """Another thread's offer at every line of `swap`."""
    slot, mine, theirs = Slot(program(0.0)), program(1.0), program(2.0)
    lines = 0

    def offering(frame, event, _):
        nonlocal lines
        if frame.f_code is not Slot.swap.__code__:
            return None
        if event == "line":
            lines += 1
            if lines == line:
                slot.offer(theirs)
        return offering

    slot.offer(mine)
    before = sys.gettrace()
    sys.settrace(offering)
    try:
        slot.swap()
    finally:
        sys.settrace(before)
    if lines < line:
        slot.offer(theirs)
    if slot.live is not theirs:
        slot.swap()  # what came too late for that swap is there for the next
    assert slot.live is theirs


def test_a_swap_keeps_the_previous_program_until_it_settles():
    first, second = program(0.1), program(0.2)
    slot = Slot(first)
    with pytest.raises(RuntimeError, match="without an offer"):
        slot.swap()
    with pytest.raises(RuntimeError, match="nothing to roll back"):
        slot.roll_back()
    slot.offer(program(9.0))
    slot.offer(second)
    slot.swap()
    assert (slot.live, slot.previous) == (second, first)
    slot.roll_back()
    assert (slot.live, slot.previous) == (first, None)
    slot.offer(second)
    slot.swap()
    slot.settle()
    assert (slot.live, slot.previous) == (second, None)
