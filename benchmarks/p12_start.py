"""P12: what the executables of earlier runs save: loading one, and starting a run for the second time."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from flying import course
from measuring import Result, in_turns, main, spread

from healing_runtime import stl, workspace
from healing_runtime.compile import export, programs, wire
from healing_runtime.compile.cache import VARIABLE, Cache
from healing_runtime.compile.programs import ProgramBlob
from healing_runtime.supervisor.runtime import Runtime

LARGEST, SHORTEST = "quadrotor/landing", "lander/neuro_lander"
LOAD_ROUNDS, RUN_ROUNDS = 41, 9
LOAD_MS = 10.0


def built(scenario: str) -> ProgramBlob:
    """A scenario's program, compiled as a builder does."""
    flown = course(scenario)
    hz, table = flown.scenario.control_hz, flown.robot.signals
    judging = stl.judging(stl.bind(flown.files, table, hz), flown.scenario.mission)
    exported = export.export_controller(flown.traced, None, hz)
    return programs.build(exported, judging, table, hz, one_kernel=True)


def loading(scenario: str, scratch: Path) -> Result:
    """From a hash to a program that has run: read, hash, check, load, warm up; against compiling it."""
    cache, program = Cache(scratch / "loading"), built(scenario)
    sha256 = cache.store(wire.blob_file(program, "key"))
    assert sha256 is not None, cache.trouble

    def load() -> None:
        data = cache.fetch(sha256)
        assert data is not None
        programs.load(wire.read_blob_file(data, "key"))

    def build() -> None:
        built(scenario)

    seconds = in_turns({"load": load, "load again": load}, LOAD_ROUNDS) | in_turns({"build": build}, 5)
    ours_ms, limit_ms = (float(np.median(seconds[name])) * 1e3 for name in ("load", "build"))
    return Result(
        "P12",
        f"load of a kept executable, {scenario}",
        f"{ours_ms:.1f} ms",
        f"{limit_ms:.0f} ms (trace, export and compile)",
        ours_ms / limit_ms,
        spread(seconds["load"], seconds["load again"]),
        f"≤ {LOAD_MS:g} ms",
        ours_ms <= LOAD_MS,
        LOAD_ROUNDS,
        note=f"{len(program.executable) / 1024:.0f} KiB; off the loop's thread",
    )


def starting(scenario: str, scratch: Path) -> Result:
    """A whole run without a brain, process start left out: the second against the first."""
    rounds = iter(range(10**6))
    home = workspace.open(workspace.catalogue_root())

    def run(place: Path) -> None:
        with mock.patch.dict(os.environ, {VARIABLE: str(place / "executables")}):
            Runtime(scenario, brain="none", workspace=home, out=place / "runs").run()

    def first() -> None:
        run(scratch / f"first-{next(rounds)}")

    def second() -> None:
        run(scratch / "second")

    seconds = in_turns({"first": first, "second": second, "first again": first}, RUN_ROUNDS)
    ours, limit = (float(np.median(seconds[name])) for name in ("second", "first"))
    return Result(
        "P12",
        f"second start of {scenario}, to its trip",
        f"{ours:.2f} s",
        f"{limit:.2f} s (the first)",
        ours / limit,
        spread(seconds["first"], seconds["first again"]),
        "< 1×",
        ours < limit,
        RUN_ROUNDS,
        note="most of both is the zygote's import",
    )


def measure() -> list[Result]:
    """The largest and the smallest program; the shortest scenario."""
    with tempfile.TemporaryDirectory(prefix="heal-bench-") as name:
        scratch = Path(name)
        loads = [loading(scenario, scratch / str(i)) for i, scenario in enumerate((LARGEST, SHORTEST))]
        return [*loads, starting(SHORTEST, scratch)]


if __name__ == "__main__":
    main(measure)
