"""P3: robustness at every sample of a long recording, against rtamt offline."""

from __future__ import annotations

from typing import Any

import numpy as np
from measuring import Result, in_turns, main, spread
from peers import compiled, data, rtamt_specification

from healing_runtime import stl

ROUNDS = 5
REPEATS = 20  # runs of ours a round, so that a round outlasts a time slice
SUBJECTS = (
    ("always[0:50], 100k samples", 100_000, "always[0 ticks, 50 ticks] (x >= 0)", "always[0:50](x >= 0)", 100),
    ("always[0:1000], 100k samples", 100_000, "always[0 ticks, 1000 ticks] (x >= 0)", "always[0:1000](x >= 0)", 100),
    ("always, 100k samples", 100_000, "always (x >= 0)", "always(x >= 0)", 100),
    (
        "since[0:50], 10k samples",
        10_000,
        "(x >= 0) since[0 ticks, 50 ticks] (y >= 0)",
        "(x >= 0) since[0:50] (y >= 0)",
        1000,
    ),
)


def measure_one(what: str, samples: int, text: str, theirs: str, factor: int) -> Result:
    """Ours, compiled, and rtamt, parsed, in turns; both give the value at every sample."""
    given, formula = data(samples), stl.parse(text)
    names = [name for name in given if f"{name} " in theirs]
    run, compile_s = compiled(lambda signals: stl.robustness(formula, signals, 0.01, end="truncate"), given)
    specification = rtamt_specification("Offline", theirs)
    lists = {name: [float(value) for value in given[name]] for name in names}

    def peer() -> Any:
        # Copies, because it may extend what it is given.
        return specification.evaluate({"time": list(range(samples)), **{name: [*lists[name]] for name in names}})

    if not np.array_equal(np.asarray(run()), np.array([value for _, value in peer()], np.float32)):
        raise RuntimeError(f"{what}: ours and rtamt disagree; no time of theirs means anything.")

    def repeated() -> None:
        for _ in range(REPEATS):
            run()

    turns = {"rtamt": peer, "ours": repeated, "rtamt again": peer}
    seconds = in_turns(turns, ROUNDS)
    ours, limit = float(np.median(seconds["ours"])) / REPEATS, float(np.median(seconds["rtamt"]))
    return Result(
        "P3",
        what,
        f"{ours * 1e3:.2f} ms",
        f"{limit * 1e3:.0f} ms",
        limit / ours,
        spread(seconds["rtamt"], seconds["rtamt again"]) * limit / ours,
        f"≥ {factor}×",
        limit >= factor * ours,
        ROUNDS,
        note=f"compiled once in {compile_s:.1f} s, which is not in it",
    )


def measure() -> list[Result]:
    """Every subject in turn."""
    return [measure_one(*subject) for subject in SUBJECTS]


if __name__ == "__main__":
    main(measure)
