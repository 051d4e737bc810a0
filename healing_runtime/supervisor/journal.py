"""The flight log: rows of the recorder and events, in one deterministic order, written off the loop's thread.

Topics are product.md's. After the n-th resume the rows go to `/branch/<n>/…`. Nothing here holds a wall time, so the
log's bytes are part of the run's digest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from healing_runtime.compile.interface import ProgramInterface
from healing_runtime.core.codec import plain
from healing_runtime.core.records import Scenario, Verdict
from healing_runtime.core.signals import Layout, SignalTable
from healing_runtime.loop.recorder import Recorder

Write = Callable[[str, int, Mapping[str, Any]], None]
TELL_EVERY_S = 3.0


class Journal:
    """Writes rows and events through `write(topic, t_ns, message)`.

    A background thread drains complete rows while the loop flies; `event` first writes every row so far, so that the
    order of messages does not depend on when the thread ran.
    """

    def __init__(
        self,
        scenario: Scenario,
        table: SignalTable,
        write: Write,
        narrate: Callable[[str], None] = lambda _: None,
        period_s: float = 0.1,
    ) -> None:
        self._scenario, self._table, self._write, self._narrate = scenario, table, write, narrate
        self._lock = threading.Lock()
        self._recorder: Recorder | None = None
        self._interface: ProgramInterface | None = None
        self._next = 0
        self._prefix = ""
        self.branch = 0
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._drain, args=(period_s,), name="journal", daemon=True)
        self._thread.start()

    def attach(self, recorder: Recorder, interface: ProgramInterface, first: int) -> None:
        """Rows from `first` on come from this recorder and are read with this interface."""
        with self._lock:
            self._recorder, self._interface, self._next = recorder, interface, first

    def detach(self) -> None:
        """Write every row so far and let go of the recorder, whose rows are about to change; `attach` goes on."""
        with self._lock:
            self._rows(complete=False)
            self._recorder = None

    def fork(self, branch: int) -> None:
        """Rows written from now on belong to a new branch."""
        with self._lock:
            self.branch, self._prefix = branch, f"/branch/{branch}"

    def event(self, tick: int, name: str, **facts: Any) -> None:
        """An event at a tick, after all rows so far."""
        with self._lock:
            self._rows(complete=False)
            message = {"tick": tick, "event": name, **{k: plain(v) for k, v in facts.items()}}
            self._write("/event", self._scenario.t_ns(tick), message)

    def flush(self) -> None:
        """Write every row so far."""
        with self._lock:
            self._rows(complete=False)

    def close(self) -> None:
        """Write the remaining rows and stop the thread; a failure of the thread surfaces here."""
        self._stop.set()
        self._thread.join()
        with self._lock:
            self._rows(complete=False)
        if self._failure is not None:
            raise self._failure

    def _drain(self, period_s: float) -> None:
        try:
            told = time.monotonic()
            while not self._stop.wait(period_s):
                with self._lock:
                    before = self._next
                    self._rows(complete=True)
                    tick = self._next
                if tick > before and time.monotonic() - told > TELL_EVERY_S:
                    told = time.monotonic()
                    share = tick / self._scenario.duration_ticks
                    self._narrate(f"flown {tick / self._scenario.control_hz:.0f} s ({100 * share:.0f} %)")
        except BaseException as failure:
            self._failure = failure

    def _rows(self, *, complete: bool) -> None:
        """Write rows that are there; with `complete`, not the newest one, whose action may still be on its way."""
        if self._recorder is None or self._interface is None:
            return
        stop = self._recorder.count - (1 if complete else 0)
        for tick in range(self._next, stop):
            self._row(self._recorder, self._interface, tick)
        self._next = max(self._next, stop)

    def _row(self, recorder: Recorder, interface: ProgramInterface, tick: int) -> None:
        t_ns, prefix = self._scenario.t_ns(tick), self._prefix
        packed = recorder.packed[tick]

        def values(topic: str, content: Mapping[str, Any]) -> None:
            self._write(prefix + topic, t_ns, {"tick": tick, "values": content})

        values("/sim/state", _named(self._table.true, recorder.true[tick]))
        values("/sim/sensed", _named(self._table.observed, recorder.observed[tick]))
        if np.isfinite(recorder.action[tick]).all():
            values("/control/cmd_applied", _named(self._table.action, recorder.action[tick]))
        values("/control/state", _memory(interface, packed))
        self._begun(recorder, tick)
        atoms = interface.atom_values(packed)
        for assertion, verdict in interface.verdicts(packed).items():
            message = {"tick": tick, **_verdict(verdict), "atoms": plain(atoms.get(assertion, {}))}
            self._write(f"{prefix}/assert/{assertion}", t_ns, message)

    def _begun(self, recorder: Recorder, tick: int) -> None:
        """The faults that began after the sample of this tick because their formula was true."""
        for fault, begun in tuple(recorder.onsets.items()):
            if begun == tick:
                spec = self._scenario.faults[fault]
                when, t_s = " ".join((spec.when or "").split()), tick / self._scenario.control_hz
                facts = {"fault": fault, "kind": spec.kind, "when": when, "t_s": t_s, "branch": self.branch}
                message = {"tick": tick, "event": "fault_onset", **facts}
                self._write("/event", self._scenario.t_ns(tick), message)


def _named(layout: Layout, vector: np.ndarray) -> dict[str, Any]:
    """Values under their keys; scalars as numbers, arrays as lists."""
    return {key: plain(value) for key, value in layout.unpack(vector).items()}


def _memory(interface: ProgramInterface, packed: np.ndarray) -> dict[str, Any]:
    """The controller's memory after the tick, by path."""
    out, at = {}, {True: interface.columns["state_floats"][0], False: interface.columns["state_ints"][0]}
    for leaf in interface.controller.state:
        start = at[leaf.floating]
        at[leaf.floating] = start + leaf.size
        out[leaf.path] = plain(packed[start : start + leaf.size].reshape(leaf.shape))
    return out


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "status": verdict.status.word,
        "rho": plain(verdict.rho),
        "rho_lo": plain(verdict.rho_lo),
        "rho_hi": plain(verdict.rho_hi),
    }
