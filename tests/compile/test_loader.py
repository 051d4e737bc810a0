"""Loading off the loop's thread."""

import dataclasses
import pickle
import threading

import numpy as np
import pytest

from healing_runtime.compile import export, programs
from healing_runtime.compile.loader import Loader
from healing_runtime.loop.slot import Slot
from tests.compile.line import HZ, SOURCE, TABLE, requirements, traced


@pytest.fixture(scope="module")
def blobs():
    texts = (SOURCE, SOURCE.replace('"gain": 0.5', '"gain": 0.25'))
    made = (export.export_controller(traced(text), traced(SOURCE), HZ) for text in texts)
    return [programs.build(exported, requirements(), TABLE, HZ) for exported in made]


def test_the_loop_ticks_on_while_a_program_is_made_ready(blobs, monkeypatch):
    """The loop flies a hundred ticks before the loader may even begin, and takes the program over when it is there."""
    threads, may_begin, load = [], threading.Event(), programs.load

    def watched(blob):
        assert may_begin.wait(60)
        threads.append(threading.current_thread())
        return load(blob)

    live = load(blobs[0])
    monkeypatch.setattr(programs, "load", watched)
    slot, memory, actions = Slot(live), live.start().joined(), []
    sample = np.array([0.8, 0.8, 0.1], np.float32)
    with Loader() as loader:
        loading = loader.load(blobs[1])
        while slot.live is live or len(actions) < 200:
            if len(actions) == 100:
                may_begin.set()
            if slot.live is live and loading.done():
                slot.offer(loading.result())
                slot.swap()
            memory, packed = slot.live.tick(slot.live.params, memory, sample)
            actions.append(float(np.asarray(packed)[0]))
    assert threads != [threading.main_thread()] and len(threads) == 1
    assert actions[:100] == pytest.approx([-0.4] * 100) and actions[-1] == pytest.approx(-0.2)
    assert live.carried(memory).ints[0] == len(actions)


def test_what_cannot_be_loaded_is_told_where_it_is_asked_for(blobs):
    broken = dataclasses.replace(blobs[0], executable=blobs[0].executable[:-1000])
    with Loader() as loader:
        loading = loader.load(broken)
        with pytest.raises(pickle.UnpicklingError, match="truncated"):
            loading.result()
        assert loader.load(blobs[0]).result().sha256 == blobs[0].sha256, "and the next one loads"


def test_closing_twice_is_closing_once():
    loader = Loader()
    loader.close()
    loader.close()
