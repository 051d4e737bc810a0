import numpy as np
import pytest

from healing_runtime.core.signals import Layout, Signal

LAYOUT = Layout(
    (
        Signal("altitude", "m", low=0.0),
        Signal("velocity", "m/s", (3,), ("x", "y", "z")),
        Signal("inertia", "", (2, 2)),
        Signal("contact"),
    )
)


def test_keys_carry_units_and_columns_can_be_read():
    assert [s.key for s in LAYOUT] == ["altitude_m", "velocity_mps", "inertia", "contact"]
    assert LAYOUT.columns == (
        "altitude_m", "velocity_mps.x", "velocity_mps.y", "velocity_mps.z",
        "inertia[0,0]", "inertia[0,1]", "inertia[1,0]", "inertia[1,1]", "contact",
    )  # fmt: skip


def test_packing_and_unpacking_are_inverse():
    vector = np.arange(LAYOUT.size, dtype=float)
    values = LAYOUT.unpack(vector)
    assert values["velocity_mps"].shape == (3,) and values["altitude_m"].shape == ()
    np.testing.assert_array_equal(LAYOUT.pack(values), vector)
    np.testing.assert_array_equal(LAYOUT.pack(LAYOUT.unpack(vector, keys=False)), vector)


def test_a_missing_signal_is_an_error_and_names_are_suggested():
    with pytest.raises(KeyError):
        LAYOUT.pack({"altitude_m": 1.0})
    assert LAYOUT.nearest("altitud")[0] == "altitude"
    assert "altitude" in LAYOUT and "altitude_m" not in LAYOUT


def test_limits_are_per_column():
    assert LAYOUT.low[0] == 0.0 and np.isneginf(LAYOUT.low[1:]).all()
    assert LAYOUT.high.shape == (LAYOUT.size,)
