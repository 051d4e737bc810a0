"""The cartpole: what trips, and the witness that balances where a label says `yes`."""

BALANCE, WITNESSES = "controllers/cartpole/balance.py", "tests/sim/witness"
GENTLE = {"position_n_per_m": 2.2, "velocity_ns_per_m": 3.6, "angle_n_per_rad": 36.5, "rate_ns_per_rad": 9.4}
FIRM = {"position_n_per_m": 4.0, "velocity_ns_per_m": 6.4, "angle_n_per_rad": 78.0, "rate_ns_per_rad": 16.3}

FAILING: dict[str, tuple[str, float | None]] = {
    "cartpole/balance_angle_bias": ("station", 6.24),
    "cartpole/balance_delay": ("lean", 7.96),
    "cartpole/balance_heavy_pole": ("lean", 1.78),
    "cartpole/balance_milliseconds": ("lean", 0.28),
    "cartpole/balance_no_rate": ("lean", 0.28),
    "cartpole/balance_rate_lost": ("lean", 1.88),
    "cartpole/balance_shove": ("lean", 4.60),
    "cartpole/balance_steady_push": ("station", 5.94),
    "cartpole/balance_weak_gains": ("lean", 2.06),
    "cartpole/balance_weak_motor": ("lean", 1.34),
    "cartpole/balance_wrong_sign": ("lean", 0.26),
}
"""What trips, and when (s) where that is calibrated."""
WITNESS: dict[str, tuple[str, dict]] = {
    "cartpole/balance_angle_bias": (f"{WITNESSES}/cartpole_balance.py", {}),
    "cartpole/balance_delay": (BALANCE, GENTLE),
    "cartpole/balance_heavy_pole": (BALANCE, FIRM),
    "cartpole/balance_milliseconds": (BALANCE, {}),
    "cartpole/balance_no_rate": (BALANCE, {}),
    "cartpole/balance_rate_lost": (f"{WITNESSES}/cartpole_no_rate_sensor.py", {}),
    "cartpole/balance_steady_push": (f"{WITNESSES}/cartpole_balance.py", {}),
    "cartpole/balance_weak_gains": (BALANCE, {}),
    "cartpole/balance_weak_motor": (BALANCE, GENTLE),
    "cartpole/balance_wrong_sign": (BALANCE, {}),
}
"""A controller and the PARAMS in which the witness differs from it."""
SOUND: tuple[str, ...] = ("cartpole/balance", "cartpole/balance_push")
