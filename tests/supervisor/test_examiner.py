"""What a patch is pardoned where it takes over: in the gate as in the loop."""

from types import SimpleNamespace
from typing import Any

import pytest

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
