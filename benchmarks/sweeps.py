"""What is swept: a scenario's keys with one magnitude in them, mildest first."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

X = "X"
"""Stands where the magnitude goes."""
AT_3_S = {"start": "3 s"}
WEIGHT_N = 0.027 * 9.80665


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A title, the design page's own bracket, keys that take the place of the scenario's, and the magnitudes.

    A magnitude is multiplied by `unit` before it is put into place.
    """

    title: str
    page: str
    keys: Mapping[str, Any]
    values: tuple[float, ...]
    unit: float = 1.0

    def at(self, value: float) -> dict[str, Any]:
        """The keys at a magnitude."""
        return {key: _filled(entry, value * self.unit) for key, entry in self.keys.items()}


def _filled(entry: Any, value: float) -> Any:
    if isinstance(entry, Mapping):
        return {key: _filled(inner, value) for key, inner in entry.items()}
    if isinstance(entry, list):
        return [_filled(inner, value) for inner in entry]
    return {X: value, f"-{X}": -value}.get(entry, entry) if isinstance(entry, str) else entry


def _fault(title: str, page: str, values: tuple[float, ...], unit: float = 1.0, **parameters: Any) -> Sweep:
    return Sweep(title, page, {"faults": [{"kind": title.split()[0], **parameters, **AT_3_S}]}, values, unit)


SWEEPS = (
    _fault(
        "rotor_efficiency", "0.9 -> 0.8", (0.98, 0.95, 0.92, 0.9, 0.88, 0.86, 0.84, 0.82, 0.8, 0.7), rotor=0, value=X
    ),
    _fault(
        "rotor_lag",
        "0.05 -> 0.072 s",
        (0.04, 0.05, 0.06, 0.065, 0.07, 0.072, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4),
        value_s=X,
    ),
    _fault(
        "actuator_delay",
        "0 -> 21 ms",
        (0.004, 0.008, 0.0125, 0.0167, 0.0208, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1),
        value_s=X,
    ),
    _fault("payload", "", (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3), 0.027, mass_kg=X),
    _fault("payload lost", "", (0.1, 0.2, 0.3, 0.4, 0.45), 0.027, mass_kg=f"-{X}"),
    _fault(
        "side_force",
        "0.3 -> 0.5 of weight",
        (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.8),
        WEIGHT_N,
        force_n=[X, 0.0, 0.0],
    ),
    _fault(
        "side_force down",
        "1.0 -> 1.3 of weight",
        (0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3),
        WEIGHT_N,
        force_n=[0.0, 0.0, f"-{X}"],
    ),
    _fault("side_force up", "", (0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3), WEIGHT_N, force_n=[0.0, 0.0, X]),
    _fault("wind", "12 m/s passes", (4, 8, 12, 16, 20, 24, 28, 32, 40, 50), velocity_mps=[X, 0.0, 0.0]),
    _fault("wind down", "", (4, 8, 12, 16, 20, 24, 28, 32, 40), velocity_mps=[0.0, 0.0, f"-{X}"]),
    _fault("wind up", "", (4, 8, 12, 16, 20, 24, 28, 32, 40), velocity_mps=[0.0, 0.0, X]),
    _fault(
        "sensor_bias altitude low",
        "-0.3 m never lands",
        (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5),
        signal="altitude",
        value=f"-{X}",
    ),
    _fault("sensor_bias altitude high", "", (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5), signal="altitude", value=X),
    _fault("sensor_bias position", "", (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8), signal="position", value=[X, 0.0, 0.0]),
    _fault(
        "sensor_bias velocity", "", (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0), signal="velocity", value=[X, 0.0, 0.0]
    ),
    _fault("sensor_bias climb", "", (0.05, 0.1, 0.2, 0.3, 0.4, 0.6), signal="velocity", value=[0.0, 0.0, X]),
    _fault("sensor_bias sink", "", (0.05, 0.1, 0.2, 0.3, 0.4, 0.6), signal="velocity", value=[0.0, 0.0, f"-{X}"]),
    _fault(
        "sensor_bias gyro",
        "",
        (0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0),
        signal="angular_velocity",
        value=[X, 0.0, 0.0],
    ),
    _fault(
        "sensor_bias gyro yaw",
        "",
        (0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0),
        signal="angular_velocity",
        value=[0.0, 0.0, X],
    ),
    _fault("sensor_drift position", "", (0.02, 0.05, 0.1, 0.15, 0.2, 0.3), signal="position", rate=X),
    _fault("sensor_drift altitude", "", (0.02, 0.05, 0.1, 0.15, 0.2, 0.3), signal="altitude", rate=X),
    _fault("sensor_drift altitude down", "", (0.02, 0.05, 0.1, 0.15, 0.2, 0.3), signal="altitude", rate=f"-{X}"),
    _fault("sensor_drift velocity", "", (0.02, 0.05, 0.1, 0.15, 0.2, 0.3), signal="velocity", rate=X),
    _fault("sensor_drift gyro", "", (0.05, 0.1, 0.2, 0.4, 0.6), signal="angular_velocity", rate=X),
    _fault(
        "sensor_noise velocity", "0.2 -> 0.5 m/s", (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0), signal="velocity", value=X
    ),
    _fault("sensor_noise position", "", (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6), signal="position", value=X),
    _fault("sensor_noise altitude", "", (0.02, 0.05, 0.1, 0.2, 0.3, 0.4), signal="altitude", value=X),
    _fault("sensor_noise gyro", "", (0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0), signal="angular_velocity", value=X),
    _fault("sensor_delay gyro", "0 -> 21 ms", (0.0208, 0.0416, 0.0625), signal="angular_velocity", value_s=X),
    _fault(
        "sensor_delay attitude",
        "0 -> 21 ms",
        (0.0208, 0.0416, 0.0625, 0.0833, 0.104),
        signal="q_xyzw_world_body",
        value_s=X,
    ),
    _fault(
        "sensor_delay velocity",
        "",
        (0.0208, 0.0416, 0.0625, 0.0833, 0.104, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4),
        signal="velocity",
        value_s=X,
    ),
    _fault(
        "sensor_delay position",
        "",
        (0.0208, 0.0416, 0.0833, 0.125, 0.2, 0.3, 0.4, 0.6, 0.8),
        signal="position",
        value_s=X,
    ),
    *(
        _fault(f"{kind} {name}", page, (1,), signal=name)
        for kind in ("sensor_stuck", "sensor_dropout")
        for name, page in (
            ("altitude", "1.3 m/s touchdown" if kind == "sensor_stuck" else ""),
            ("position", ""),
            ("velocity", ""),
            ("angular_velocity", ""),
            ("q_xyzw_world_body", ""),
        )
    ),
    _fault("rotor_stuck slow", "-> 0.8", (1.0, 0.98, 0.95, 0.9, 0.8), rotor=0, value=X),
    _fault("rotor_stuck fast", "-> 1.2", (1.0, 1.02, 1.05, 1.1, 1.2), rotor=0, value=X),
    _fault("rotor_efficiency off", "-> 0", (0.0,), rotor=0, value=X),
    _fault("rpm_ceiling", "1.05 -> 1.0", (1.2, 1.1, 1.05, 1.02, 1.0, 0.98, 0.96, 0.94, 0.9), value=X),
    _fault("com_offset", "-> 2 mm", (0.5, 1.0, 1.5, 2.0, 3.0, 4.0), 1e-3, offset_m=[X, 0.0, 0.0]),
    _fault("impulse", "0.6 -> 1.0 N", (0.4, 0.6, 0.8, 1.0, 1.2, 1.3, 1.5), 0.05, impulse=[X, 0.0, 0.0], over_s=0.05),
    _fault("downwash", "1.0 -> 1.3", (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3), value=X),
    _fault("turbulence", "6 m/s passes", (1, 2, 3, 4, 5, 6, 8, 10), sigma_mps=X),
    _fault("frame_error", "20 -> 45 degrees", (20, 30, 45, 50, 55, 60, 70, 90, 120, 150, 180), value_deg=X),
    _fault("thrust_noise", "", (0.02, 0.05, 0.1, 0.15, 0.2, 0.3), value=X),
    _fault("dropped_ticks", "", (0.3, 0.5, 0.7, 0.75, 0.8, 0.85, 0.9), value=X),
    _fault("battery_sag", "", (0.05, 0.1, 0.15, 0.2, 0.3), rate=X),
    _fault("ground_effect", "", (1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0), value=X),
    Sweep("gravity high", "", {"environment": {"gravity_mps2": X}}, (11, 12, 14, 16, 17, 18, 20, 22)),
    Sweep("gravity low", "", {"environment": {"gravity_mps2": X}}, (9, 8, 6, 4, 3, 1.62)),
    Sweep("pad slope", "", {"environment": {"pad": {"slope_deg": X}}}, (2, 4, 6, 8, 10, 12, 15, 20, 25)),
    Sweep("pad friction", "", {"environment": {"pad": {"friction": X}}}, (0.4, 0.2, 0.1, 0.05, 0.0)),
)
