"""P2: the online monitor of one windowed formula, per sample inside a scan, against rtamt and reelay."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import numpy as np
from measuring import Result, in_turns, main, spread
from peers import compiled, data, reelay_monitor, reelay_online, rtamt_online, rtamt_specification

from healing_runtime import stl

WIDTHS = (50, 1000, 10_000)
SAMPLES = 100_000
ROUNDS = 7
REPEATS = 20  # runs of ours a round, so that a round outlasts a time slice
PEER_SAMPLES = {50: 1000, 1000: 40, 10_000: 5}
"""rtamt's cost grows with the window, so it gets fewer samples; its buffers are full from the first one on."""


class Subject(NamedTuple):
    """One formula in three languages; reelay has no future. `squared`: rtamt's cost grows with the window squared."""

    name: str
    names: str
    ours: str
    rtamt: str
    reelay: str | None
    squared: bool = False


SUBJECTS = (
    Subject(
        "historically",
        "x",
        "always (historically[0 ticks, {w} ticks] (x >= 0))",
        "historically[0:{w}](x >= 0)",
        "historically[0:{w}]{{x>=0}}",
    ),
    Subject("once", "x", "always (once[0 ticks, {w} ticks] (x >= 0))", "once[0:{w}](x >= 0)", "once[0:{w}]{{x>=0}}"),
    Subject(
        "since",
        "xy",
        "always ((x >= 0) since[0 ticks, {w} ticks] (y >= 0))",
        "(x >= 0) since[0:{w}] (y >= 0)",
        "({{x>=0}} since[0:{w}] {{y>=0}})",
        squared=True,
    ),
    Subject(
        "always",
        "xy",
        "always ((y >= 0) implies (always[0 ticks, {w} ticks] (x >= 0)))",
        "(y >= 0) -> (always[0:{w}](x >= 0))",
        None,
    ),
)


def ours(text: str, given: dict[str, np.ndarray]) -> Any:
    """A run over all samples: the verdict's number at every tick."""
    monitor = stl.online(stl.parse(text), 0.01)

    def run(signals: Any) -> Any:
        def step(state: Any, sample: Any) -> tuple[Any, Any]:
            state, verdict = monitor.update(state, sample)
            return state, verdict.rho

        return jax.lax.scan(step, monitor.init(), signals)[1]

    return compiled(run, given)[0]


def repeated(run: Any) -> None:
    """Enough runs for one measurement."""
    for _ in range(REPEATS):
        run()


def check(name: str, run: Any, peer: list[float]) -> None:
    """What is timed is right: under an outermost `always` ours is the least so far of what a peer says."""
    expected = np.minimum.accumulate(np.array(peer, np.float32))
    if not np.array_equal(np.asarray(run())[: len(peer)], expected):
        raise RuntimeError(f"{name}: ours and a peer disagree; no time of theirs means anything.")


def measure_one(subject: Subject, width: int, given: dict[str, np.ndarray], run: Any) -> Result:
    """Ours and both peers in turns."""
    what = f"{subject.name}, window {width}"
    few = PEER_SAMPLES[width] if not subject.squared else max(1, PEER_SAMPLES[width] * 50 // width)
    specification = rtamt_specification("Online", subject.rtamt.format(w=width), pastify=subject.reelay is None)
    if subject.reelay is not None:
        peer = reelay_online(reelay_monitor(subject.reelay.format(w=width)), given, 300)
        check(f"{what}, reelay", run, peer)
        fresh = rtamt_specification("Online", subject.rtamt.format(w=width))
        check(f"{what}, rtamt", run, rtamt_online(fresh, subject.names, given, few))
    turns = {
        "rtamt": lambda: rtamt_online(specification, subject.names, given, few),
        "ours": lambda: repeated(run),
        "rtamt again": lambda: rtamt_online(specification, subject.names, given, few),
    }
    if subject.reelay is not None:
        monitor = reelay_monitor(subject.reelay.format(w=width))
        turns["reelay"] = lambda: reelay_online(monitor, given, 1000)
    rounds = 1 if subject.squared and width > 1000 else ROUNDS  # half a minute a round
    seconds = in_turns(turns, rounds)
    mine = float(np.median(seconds["ours"])) / REPEATS / SAMPLES * 1e6
    limit = float(np.median(seconds["rtamt"])) / few * 1e6
    note = f"rtamt over {few} samples"
    if "reelay" in seconds:
        note += f"; reelay {float(np.median(seconds['reelay'])) / 1000 * 1e6:.1f} µs over 1000 samples"
    noise = spread(seconds["rtamt"], seconds["rtamt again"]) * limit / mine
    return Result(
        "P2",
        what,
        f"{mine:.3f} µs",
        f"{limit:.1f} µs",
        limit / mine,
        noise,
        "≥ 100×",
        limit >= 100 * mine,
        rounds,
        note,
    )


def flat(subject: Subject, runs: dict[int, Any]) -> Result:
    """The widest window against the narrowest, in turns of their own."""
    narrow, wide = min(runs), max(runs)
    turns = (("narrow", narrow), ("wide", wide), ("narrow again", narrow))
    seconds = in_turns({name: functools.partial(repeated, runs[w]) for name, w in turns}, 3 * ROUNDS)
    ours_, limit = (float(np.median(seconds[name])) / REPEATS / SAMPLES * 1e6 for name in ("wide", "narrow"))
    return Result(
        "P2",
        f"{subject.name}, window {wide} against {narrow}",
        f"{ours_:.3f} µs",
        f"{limit:.3f} µs",
        ours_ / limit,
        spread(seconds["narrow"], seconds["narrow again"]),
        "≤ 1.5× (flat)",
        ours_ <= 1.5 * limit,
        3 * ROUNDS,
    )


def measure() -> list[Result]:
    """Every operator at every width, then whether the cost is flat."""
    given, results = data(SAMPLES), []
    for subject in SUBJECTS:
        runs = {width: ours(subject.ours.format(w=width), given) for width in WIDTHS}
        results += [measure_one(subject, width, given, run) for width, run in runs.items()]
        results.append(flat(subject, runs))
    return results


if __name__ == "__main__":
    main(measure)
