"""The way in: a scenario with a brain, ready to run once."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from healing_runtime.brains import catalogue
from healing_runtime.compile import programs
from healing_runtime.compile.loader import Loader
from healing_runtime.core.errors import InputError, OutsideError
from healing_runtime.core.platform import pin_platform
from healing_runtime.gate.fallback import Admitted
from healing_runtime.gate.kept_programs import KeptPrograms
from healing_runtime.ledger.patch_memory import PatchMemory
from healing_runtime.ledger.sealed import SealedEvidence
from healing_runtime.sandbox import confinement
from healing_runtime.supervisor import preparation
from healing_runtime.supervisor.approval import Ask
from healing_runtime.supervisor.examiner import Examiner
from healing_runtime.supervisor.fallback import Fallback
from healing_runtime.supervisor.memoir import Memoir
from healing_runtime.supervisor.places import LEDGER, refuse_bad_place
from healing_runtime.supervisor.preparation import Prepared
from healing_runtime.supervisor.remembering import Remembering
from healing_runtime.supervisor.result import RunResult
from healing_runtime.supervisor.run import Run
from healing_runtime.supervisor.settings import Settings
from healing_runtime.workspace import own_mistakes

Narrate = Callable[[str], None]


class Runtime:
    """A scenario with a brain, ready to run once.

    Args:
        scenario: a name, a path, or what `load_scenario` returned.
        brain: `embedded`, `gemini[:MODEL]`, `cassette:FILE`, `mock:FILE`, `none`.
        brain_fallback: let the embedded brain go on where a remote one cannot be reached.
        policy: `freeze` or `rewind`; default as the scenario says.
        seed: drives noise and every draw; default as the scenario says.
        out: folder for the run record; default `<workspace>/runs`.
        approve: asks a person about a patch, where the scenario has `policy.approval: human`; it gets a `Review` and
            gives `Approve`, `Reject` or None for later. Without it such a run ends as `awaiting_approval`.
        strict: assertions that end unknown or vacuous, broken warnings, and faults whose formula was never true, make
            the exit code 1.
        memory: ask the patch memory before the brain, and leave in it what stays.
        progress: told what happens, one line a time.

    Raises:
        InputError: on construction of the run, before anything is written, if any input is wrong; in flight, if the
            robot's own code raises.
    """

    def __init__(
        self,
        scenario: Any,
        *,
        brain: str = "embedded",
        brain_fallback: bool = True,
        policy: str | None = None,
        seed: int | None = None,
        out: str | Path | None = None,
        approve: Ask | None = None,
        strict: bool = False,
        memory: bool = True,
        progress: Narrate | None = None,
        workspace: Any = None,
        settings: Settings | None = None,
    ) -> None:
        pin_platform()
        self._scenario, self._policy, self._seed, self._home = scenario, policy, seed, workspace
        self._narrate = progress or (lambda _: None)
        self._settings = settings or Settings(
            brain=brain,
            brain_fallback=brain_fallback,
            strict=strict,
            out=Path(out) if out else None,
            memory=memory,
            approve=approve,
        )

    def run(self) -> RunResult:
        """Fly the scenario to its end, healing what breaks. Ctrl-C leaves a readable record and is raised again."""
        started = time.monotonic()
        prepared = self._prepared()
        self._check_brain()
        refuse_bad_place(self._settings.out or prepared.workspace.runs)
        own = own_mistakes(prepared.robot)
        with own, Examiner.workers() as sandbox, self._kept(prepared) as kept, Loader() as loader:
            confinement.refuse_weak(prepared.scenario.policy, sandbox.confinement)
            sealed = SealedEvidence.here()
            find = self._settings.evidence or sealed.find
            examiner = Examiner(sandbox, prepared, self._narrate, kept, self._settings.recall, find)
            self._narrate(f"building {prepared.source.name}")
            blob = examiner.admit()
            programs.use_dtype(blob.interface.controller.dtype)
            program = loader.load(blob).result()
            preparation.refuse_bad_start(prepared, program)
            admitted = self._admitted(prepared, examiner)
            fallback = self._fallback(prepared, admitted, loader)
            listed, level = examiner.regressions.listed, sandbox.confinement
            around = examiner.context.surroundings
            if (reopen := self._settings.reopen) is not None:
                memoir = reopen(prepared, self._settings, started, self._narrate)
            else:
                memoir = Memoir.open(
                    prepared, self._settings, blob, admitted, listed, around, level, started, self._narrate
                )
            memoir.incidents.evidence_of = find
            kept.settle()
            try:
                remembering = Remembering(self._memory(memoir, sealed), examiner.context, self._settings.answered)
                run = Run(
                    prepared, self._settings, examiner, memoir, remembering, program, loader, self._narrate, fallback
                )
            except BaseException as error:
                memoir.interrupted(error)
                raise
            return run.to_the_end()

    @staticmethod
    def _admitted(prepared: Prepared, examiner: Examiner) -> Admitted | None:
        """The fallback as the gate admits it; InputError at the line of the scenario that names it."""
        try:
            return examiner.admit_fallback()
        except InputError as error:
            raise preparation.unfit_fallback(error, preparation.fallback_at(prepared.loaded)) from None

    @staticmethod
    def _fallback(prepared: Prepared, admitted: Admitted | None, loader: Loader) -> Fallback | None:
        """The admitted fallback, loaded and warmed: in flight it costs one reference store."""
        if admitted is None or prepared.fallback is None:
            return None
        return Fallback(prepared.fallback, loader.load(admitted.program).result())

    def _kept(self, prepared: Prepared) -> KeptPrograms:
        """Programs of earlier runs, as the ledger beside this run's record names them, or beside the replayed one."""
        ledger = self._settings.executables or (self._settings.out or prepared.workspace.runs) / LEDGER
        return KeptPrograms.beside(ledger, self._narrate)

    def _memory(self, memoir: Memoir, sealed: SealedEvidence) -> PatchMemory | None:
        """That of the ledger which this run writes; None for a replay, and where it is switched off."""
        if memoir.ledger is None or not self._settings.memory:
            return None
        return PatchMemory(memoir.ledger, sealed)

    def _check_brain(self) -> None:
        """Refuse a brain that cannot work before anything flies, unless the embedded one may go on in its place."""
        if self._settings.make_brain is not None:
            return
        try:
            catalogue.check(self._settings.brain)
        except OutsideError:
            if not self._settings.brain_fallback:
                raise

    def _prepared(self) -> Prepared:
        if isinstance(self._scenario, Prepared):
            return self._scenario
        return preparation.prepare(self._scenario, home=self._home, seed=self._seed, policy=self._policy)
