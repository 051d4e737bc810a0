"""Scenarios whose fault is in the controller: what trips, when (s), and the sound one that shows the way out."""

LANDING, SOFT_LANDING = "controllers/quadrotor/landing_pid.py", "controllers/lander/soft_landing.py"

FAILING: dict[str, tuple[str, float | None]] = {
    "lander/landing_feet": ("landed", 40.0),
    "lander/landing_tonnes": ("braking-distance", 8.2),
    "lander/landing_velocity_sign": ("braking-distance", 3.5),
    "lander/landing_windup": ("braking-distance", 13.5),
    "quadrotor/landing_gains_fifth": ("tilt", 2.29),
    "quadrotor/landing_gains_times_five": ("tilt-near-ground", None),
    "quadrotor/landing_milliseconds": ("tilt", None),
    "quadrotor/landing_mixer_swapped": ("tilt", 0.31),
    "quadrotor/landing_ned": ("descent-near-ground", 0.75),
    "quadrotor/landing_never_cut": ("landed", 10.0),
    "quadrotor/landing_no_rate": ("tilt", 0.50),
    "quadrotor/landing_not_a_number": ("controller/finite-action", 0.38),
    "quadrotor/landing_rates_in_world": ("tilt", 0.25),
    "quadrotor/landing_rpm": ("tilt", 0.23),
    "quadrotor/landing_wxyz": ("tilt", 0.31),
}
WITNESS: dict[str, tuple[str, dict]] = {
    name: (SOFT_LANDING if name.startswith("lander/") else LANDING, {}) for name in FAILING
}
SOUND: tuple[str, ...] = ()
