"""A fault that does nothing is an error where it is written, not where it is flown."""

import pytest

from healing_runtime import workspace

from .hangar import ROOT
from .promises import sim_module

bases = sim_module(workspace.open(ROOT), "cartpole", "faults.base")


@pytest.mark.parametrize(("base", "method"), [("BodyFault", "`act` or `act_at`"), ("SensorFault", "`sense`")])
def test_a_fault_without_an_effect_is_refused_where_it_is_written(base, method):
    general = getattr(bases, base)
    with pytest.raises(TypeError, match=f"the fault Idle does nothing; give it {method}"):
        type("Idle", (general,), {})


@pytest.mark.parametrize(("base", "method"), [("BodyFault", "act"), ("BodyFault", "act_at"), ("SensorFault", "sense")])
def test_one_method_is_enough_and_a_bound_class_inherits_it(base, method):
    general = getattr(bases, base)
    busy = type("Busy", (general,), {method: lambda self, *_: None})
    assert issubclass(type("Bound", (busy,), {}), general)
