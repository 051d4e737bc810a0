"""NeuroJIT's pilot on the vertical lander."""

FAILING: dict[str, tuple[str, float | None]] = {"lander/neuro_lander": ("braking-distance", None)}
WITNESS: dict[str, tuple[str, dict]] = {"lander/neuro_lander": ("controllers/lander/soft_landing.py", {})}
SOUND: tuple[str, ...] = ()
