"""Scenarios of the vertical lander: its soft landing, and what is wrong with the craft or its sensors.

The proofs of what is impossible stand in `tests/sim/test_impossible_lander.py`.
"""

SOFT_LANDING, WITNESSES = "controllers/lander/soft_landing.py", "tests/sim/witness"

FAILING: dict[str, tuple[str, float | None]] = {
    "lander/landing_altimeter_high": ("braking-distance", 11.6),
    "lander/landing_altimeter_low": ("controller/altitude-estimate-is-sane", 26.0),
    "lander/landing_altimeter_noise": ("controller/altitude-estimate-is-sane", None),
    "lander/landing_altimeter_stuck": ("braking-distance", 11.3),
    "lander/landing_dry_tank": ("braking-distance", 9.6),
    "lander/landing_engine_too_weak": ("braking-distance", 7.4),
    "lander/landing_low_fuel": ("braking-distance", 15.7),
    "lander/landing_overloaded": ("braking-distance", 9.9),
    "lander/landing_slow_signals": ("landed", 40.0),
    "lander/landing_velocity_stuck": ("ceiling", 21.8),
    "lander/landing_weak_engine": ("braking-distance", 13.6),
}
WITNESS: dict[str, tuple[str, dict]] = {
    "lander/landing_altimeter_high": (SOFT_LANDING, {"descent_per_m": 0.06}),
    "lander/landing_altimeter_stuck": (f"{WITNESSES}/lander_dead_reckoning.py", {}),
    "lander/landing_low_fuel": (f"{WITNESSES}/lander_late_braking.py", {}),
    "lander/landing_overloaded": (SOFT_LANDING, {"descent_per_m": 0.06, "descent_max_mps": 6.0}),
    "lander/landing_slow_signals": (SOFT_LANDING, {"climb_kp": 0.55, "climb_ki": 0.04}),
    "lander/landing_velocity_stuck": (f"{WITNESSES}/lander_no_speed_sensor.py", {}),
    "lander/landing_weak_engine": (SOFT_LANDING, {"descent_per_m": 0.1, "descent_max_mps": 6.0}),
}
SOUND: tuple[str, ...] = (
    "lander/landing",
    "lander/landing_mars",
    "lander/landing_payload",
    "lander/landing_velocity_noise",
)
IMPOSSIBLE: tuple[str, ...] = (
    "lander/landing_altimeter_low",
    "lander/landing_dry_tank",
    "lander/landing_engine_too_weak",
)
