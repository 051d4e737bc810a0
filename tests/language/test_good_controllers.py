"""What ships and what the embedded brain writes passes every pass; the passes have something to say of none of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from healing_runtime import workspace
from healing_runtime.brains.embedded import families
from healing_runtime.brains.embedded.identify import Effect
from healing_runtime.core.signals import Layout, Signal, SignalTable
from healing_runtime.language import controller, passes, source, trace

ROOT = Path(__file__).resolve().parents[2]
CONTROLLERS = ROOT / "controllers"
SHIPPED = sorted(path.relative_to(CONTROLLERS).with_suffix("").as_posix() for path in CONTROLLERS.glob("*/*.py"))
HOPPER = SignalTable(
    observed=Layout((Signal("altitude", "m"), Signal("velocity", "m/s"))),
    action=Layout((Signal("thrust", "N", low=0.0, high=60.0),)),
    true=Layout((Signal("altitude", "m"),)),
)


@pytest.fixture(scope="module")
def catalogue():
    return workspace.open(ROOT)


def findings(text, table, hz=48, dtype=np.float32):
    return passes.run(trace.trace(controller.load(source.parse(text, path="c.py")), table, 1.0 / hz, dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped(catalogue, name, dtype):
    table = catalogue.robot(name.split("/")[0]).signals
    assert findings(catalogue.controller(name).text, table, dtype=dtype) == ()


@pytest.mark.parametrize("family", families.FAMILIES, ids=lambda family: family.name)
def test_families(catalogue, family):
    tables = [t for t in (HOPPER, *(catalogue.robot(r).signals for r in ("quadrotor", "lander"))) if family.fits(t)]
    assert tables
    for table in tables:
        actuators = sum(int(np.prod(signal.shape)) for signal in table.action)
        gain = np.random.default_rng(0).normal(size=(4, actuators)) + 2.0 * np.eye(4, actuators)
        effect = Effect(trim=9.0, exponent=1, gain=gain, free=-9.81, lag_s=0.05)
        brief = families.Brief(table, effect, 1.0 / 48, 12.0, 3.0, "Written for a test.")
        assert findings(family.design(brief).text, table) == ()
