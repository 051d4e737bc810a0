"""What a patch is pardoned where it takes over: in the gate as in the loop."""

from types import SimpleNamespace
from typing import Any

import pytest

from healing_runtime.core.records import Distribution, Perturbation, Scenario
from healing_runtime.supervisor import examiner as examining
from healing_runtime.supervisor.examiner import Examiner


@pytest.mark.parametrize(
    ("policy", "handed_over", "tick", "trip", "pardoned"),
    [
        ("freeze", False, 0, 0, ("floor",)),
        ("freeze", False, 7, 7, ("floor",)),
        ("rewind", False, 0, 0, ()),
        ("rewind", False, 4, 7, ()),
        ("rewind", True, 0, 0, ("floor",)),
        ("rewind", True, 7, 7, ("floor",)),
    ],
)
def test_only_what_is_closed_on_record_is_pardoned(policy, handed_over, tick, trip, pardoned):
    """A trip at tick 0 is flown again from tick 0 under `rewind`: with nothing closed, and so with nothing pardoned."""
    examiner: Any = Examiner.__new__(Examiner)
    examiner.prepared = SimpleNamespace(scenario=SimpleNamespace(policy=SimpleNamespace(on_violation=policy)))
    flew = SimpleNamespace(interface="interface")
    deck: Any = SimpleNamespace(broken_here=lambda: ("floor",), carry_before=lambda at: (flew, f"memory {at}"))
    found = examiner._resume(tick, deck, trip, handed_over=handed_over)
    assert (found.tick, found.pardoned) == (tick, pardoned)
    assert found.carry == (f"memory {tick}" if tick else None)


@pytest.mark.parametrize(
    ("perturb", "said"),
    [
        (Perturbation({"z_m": Distribution("normal", 0.1)}), "from 32 drawn states"),
        (Perturbation({}, {"wind": Distribution("normal", 0.1)}), "scenario's own state; the flights differ in what"),
        (Perturbation(), "32 times from the scenario's own state; the flights differ in their noise alone"),
    ],
)
def test_a_fallback_is_said_to_have_flown_from_what_was_drawn(monkeypatch, perturb, said):
    fields = {"mission": None, "duration_ticks": 9, "control_hz": 10, "physics_hz": 100, "seed": 1}
    flown: Any = Scenario(
        "a/s", "a", "a/c", (), **fields, initial={"z_m": 1.0}, environment={"wind": 0.0}, perturb=perturb
    )
    told: list[str] = []
    examiner: Any = Examiner.__new__(Examiner)
    examiner.prepared = SimpleNamespace(scenario=flown, fallback=SimpleNamespace(name="a/f"))
    examiner.sandbox = examiner._kept = examiner._surroundings = SimpleNamespace(simulation="")
    examiner._narrate = told.append
    monkeypatch.setattr(Examiner, "context", None)
    monkeypatch.setattr(examining.fallback, "admit", lambda *_: SimpleNamespace(remembered=False))
    examiner.admit_fallback()
    assert said in told[-1] and told[-1].startswith("a/f flew well ")
