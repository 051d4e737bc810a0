"""P10: what the gate costs before anything flies, on the landing controller of the catalogue."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
from measuring import Result, in_turns, main, spread

from healing_runtime import workspace
from healing_runtime.compile import export
from healing_runtime.core.records import Source
from healing_runtime.core.signals import SignalTable
from healing_runtime.gate.build import TRACE_LIMITS, TraceRequest
from healing_runtime.language import controller, passes, source, trace
from healing_runtime.language.trace import Traced
from healing_runtime.sandbox.messages import Job, Message
from healing_runtime.sandbox.zygote import Sandbox

CONTROLLER, ROBOT, CONTROL_HZ = "quadrotor/landing_pid", "quadrotor", 48
ROUNDS = 21
TO_PASSES_MS, EXPORT_MS = 50.0, 100.0


def traced(text: Source, table: SignalTable) -> Traced:
    """Syntax and trace."""
    parsed = source.parse(text.text, name=text.name, path=text.path)
    return trace.trace(controller.load(parsed), table, 1.0 / CONTROL_HZ)


def fresh(text: Source) -> Iterator[str]:
    """The source again and again, never the same text twice, so that nothing is remembered of it."""
    return (f"{text.text}\n# {n}\n" for n in itertools.count())


def row(what: str, seconds: dict[str, np.ndarray], names: tuple[str, str, str], limit_ms: float) -> Result:
    """Ours, the same again, and what it is compared with, by their names."""
    ours, again, limit = names
    ours_ms, peer_ms = (float(np.median(seconds[name])) * 1e3 for name in (ours, limit))
    return Result(
        "P10",
        what,
        f"{ours_ms:.1f} ms",
        f"{peer_ms:.1f} ms ({limit})",
        ours_ms / peer_ms,
        spread(seconds[ours], seconds[again]),
        f"≤ {limit_ms:g} ms",
        ours_ms <= limit_ms,
        ROUNDS,
    )


def measure() -> list[Result]:
    """In this process, warm; and the whole stage in a confined worker."""
    home = workspace.open(workspace.catalogue_root())
    text, table = home.controller(CONTROLLER), home.robot(ROBOT).signals
    texts, done = fresh(text), traced(text, table)
    lines = sum(bool(line.strip()) for line in text.text.splitlines())

    def again() -> Source:
        changed = next(texts)
        return Source(text.name, text.path, changed, source.parse(changed).source.sha256)

    def to_passes() -> None:
        passes.run(traced(again(), table))

    with Sandbox() as sandbox:

        def worker() -> None:
            changed = again()
            request = TraceRequest(changed, table, CONTROL_HZ, "float32")
            sandbox.run(Job("healing_runtime.gate.build:trace_job", Message(vars(request)), TRACE_LIMITS))

        runs: dict[str, Callable[[], object]] = {
            "trace alone": lambda: traced(again(), table),
            "to passes": to_passes,
            "to passes again": to_passes,
            "passes": lambda: passes.run(done),
            "passes again": lambda: passes.run(done),
            "export": lambda: export.export_controller(done, None, CONTROL_HZ),
            "export again": lambda: export.export_controller(done, None, CONTROL_HZ),
            "worker": worker,
            "worker again": worker,
        }
        seconds = in_turns({name: _silent(run) for name, run in runs.items()}, ROUNDS)
    whole = f"{lines} lines"
    return [
        row(f"syntax to passes, {whole}", seconds, ("to passes", "to passes again", "trace alone"), TO_PASSES_MS),
        row(f"the passes alone, {whole}", seconds, ("passes", "passes again", "trace alone"), TO_PASSES_MS),
        row(f"export, {whole}", seconds, ("export", "export again", "trace alone"), EXPORT_MS),
        row(
            f"fork, syntax to passes and export in a confined worker, {whole}",
            seconds,
            ("worker", "worker again", "to passes"),
            TO_PASSES_MS + EXPORT_MS,
        ),
    ]


def _silent(run: Callable[[], object]) -> Callable[[], None]:
    def silent() -> None:
        run()

    return silent


if __name__ == "__main__":
    main(measure)
