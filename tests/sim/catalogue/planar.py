"""What is known of the planar lander's scenarios."""

LANDING, ANY_SENSOR = "controllers/lander_planar/landing.py", "tests/sim/witness/lander_planar_landing.py"
GENTLE = {
    "pitch_kp": 0.15, "pitch_kd": 0.7, "sideways_kp": 0.12, "approach_per_s": 0.04, "climb_kp": 0.5, "climb_ki": 0.05,
    "lean_max_rad": 0.2, "lean_per_m": 0.02,
}  # fmt: skip
FAILING: dict[str, tuple[str, float | None]] = {
    "lander_planar/landing_altitude_bias": ("braking-distance", 17.55),
    "lander_planar/landing_degrees": ("tilt", 13.55),
    "lander_planar/landing_delay": ("tilt", 16.3),
    "lander_planar/landing_ice": ("on-the-pad", None),
    "lander_planar/landing_mars": ("braking-distance", 16.05),
    "lander_planar/landing_pitch_sign": ("tilt", 6.0),
    "lander_planar/landing_pitch_stuck": ("tilt", 13.3),
    "lander_planar/landing_rate_stuck": ("tilt", 15.95),
    "lander_planar/landing_side_force": ("touchdown-sideways", 25.65),
    "lander_planar/landing_velocity_lost": ("ceiling", 22.7),
    "lander_planar/landing_weak_engine": ("braking-distance", 15.95),
}
"""What trips, and when (s) where that is calibrated."""
WITNESS: dict[str, tuple[str, dict]] = {
    "lander_planar/landing_altitude_bias": (ANY_SENSOR, {}),
    "lander_planar/landing_degrees": (LANDING, {}),
    "lander_planar/landing_delay": (LANDING, GENTLE),
    "lander_planar/landing_mars": (ANY_SENSOR, {"climb_kp": 3.0}),
    "lander_planar/landing_pitch_sign": (LANDING, {}),
    "lander_planar/landing_pitch_stuck": (ANY_SENSOR, {}),
    "lander_planar/landing_rate_stuck": (ANY_SENSOR, {"gyro": 0.0}),
    "lander_planar/landing_side_force": (ANY_SENSOR, {}),
    "lander_planar/landing_velocity_lost": (ANY_SENSOR, {}),
    "lander_planar/landing_weak_engine": (ANY_SENSOR, {}),
}
"""A controller and the PARAMS in which the witness differs from it."""
SOUND: tuple[str, ...] = (
    "lander_planar/landing", "lander_planar/landing_half_thrust", "lander_planar/landing_slope",
)  # fmt: skip
