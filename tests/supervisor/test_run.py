"""However a run ends by an exception, its log is closed and its folder is let go of."""

from types import SimpleNamespace
from typing import Any

import pytest

from healing_runtime.core.errors import RunAborted
from healing_runtime.supervisor.memoir import Memoir
from healing_runtime.supervisor.run import Run


def test_ctrl_c_while_the_fallback_flies_on_after_an_abort_leaves_a_whole_log(monkeypatch):
    ended, closed = [], []
    run: Any = Run.__new__(Run)
    run.narrate = lambda _: None
    run.prepared = SimpleNamespace(
        scenario=SimpleNamespace(name="r/s"), loaded=SimpleNamespace(notes=()), robot=SimpleNamespace(ground_truth=True)
    )
    run.memoir = SimpleNamespace(stories=[], interrupted=ended.append)
    run.repairing = SimpleNamespace(close=lambda: closed.append("brain"))
    run.examiner = SimpleNamespace(close=lambda: None)
    run.deck = SimpleNamespace(plant=SimpleNamespace(close=lambda: closed.append("plant")))

    def raises(error):
        raise error

    pressed = KeyboardInterrupt()
    monkeypatch.setattr(Run, "_fly", lambda _: raises(RunAborted("the worker is gone")))
    monkeypatch.setattr(Run, "_fall_back", lambda _: raises(pressed))
    with pytest.raises(KeyboardInterrupt):
        run.to_the_end()
    assert ended == [pressed] and closed == ["brain", "plant"]


def test_a_journal_that_failed_does_not_keep_the_log_open():
    def fails():
        raise ValueError("a row that cannot be written")

    closed = []
    memoir: Any = Memoir.__new__(Memoir)
    memoir.ledger = memoir._continued = None
    memoir.journal = SimpleNamespace(close=fails)
    memoir._drain = SimpleNamespace(close=lambda: closed.append("log"))
    memoir._claim = SimpleNamespace(close=lambda: closed.append("claim"))
    memoir.interrupted(ValueError())
    assert closed == ["log", "claim"]
