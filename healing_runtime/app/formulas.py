"""The assertion files that `heal check` looks at: bound, costed and analysed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from healing_runtime import stl, workspace
from healing_runtime.app.findings import Report
from healing_runtime.app.formula_costs import formula_row
from healing_runtime.core.errors import InputError, Location
from healing_runtime.core.records import AssertionFile, Scenario
from healing_runtime.core.signals import SignalTable
from healing_runtime.stl import analysis
from healing_runtime.workspace.document import read_document


class Formulas:
    """Checks the formulas of files and flights, and notes what is found."""

    def __init__(self, home: workspace.Workspace, report: Report) -> None:
        self._home, self._report = home, report

    def file(self, file: AssertionFile, control_hz: int) -> None:
        """Every assertion on its own first, so that one mistake does not hide the next; then the file as a whole.

        Raises:
            InputError: the file is wrong as a whole, or names no robot that there is.
        """
        self._report.looked_at(file.path)
        table = self._home.robot(file.robot).signals
        wrong = self._wrong_names(file)
        sound = dataclasses.replace(
            file,
            constants={name: text for name, text in file.constants.items() if name not in wrong},
            definitions={head: text for head, text in file.definitions.items() if _name(head) not in wrong},
        )
        faults = len(wrong)
        for assertion in file.assertions:
            if wrong and analysis.rests_on(file, assertion.formula, wrong):
                continue
            try:
                (bound,) = stl.bind([dataclasses.replace(sound, assertions=(assertion,))], table, control_hz)
            except InputError as error:
                faults += 1
                self._report.mistake(error, Location(file.path))
            else:
                self._row(bound, table, control_hz)
        if not faults:
            bound = stl.bind([file], table, control_hz)
            self._names(file, table)
            self._note(analysis.examine(bound, table))

    def flight(self, judging: Sequence[stl.Requirement], scenario: Scenario, table: SignalTable, path: str) -> None:
        """What judges one flight: files against each other, and windows against the flight's length."""
        if len(scenario.assertions) > 1:
            self._note(analysis.examine(judging, table))
        for requirement in judging:
            self._note(analysis.too_short(requirement, scenario.duration_ticks, scenario.control_hz, path))

    def _wrong_names(self, file: AssertionFile) -> set[str]:
        wrong = set()
        for key, name, error in analysis.wrong_names(file):
            wrong.add(name)
            self._report.mistake(error, read_document(Path(file.path)).where_key(key))
        return wrong

    def _names(self, file: AssertionFile, table: SignalTable) -> None:
        document = read_document(Path(file.path))
        for key, message in analysis.names(file, table):
            self._report.add("warning", message, document.where_key(key))

    def _note(self, findings: Sequence[analysis.Finding]) -> None:
        for finding in findings:
            self._report.add(finding.severity, finding.message, finding.where)

    def _row(self, bound: stl.Requirement, table: SignalTable, control_hz: int) -> None:
        entry = formula_row(bound, table, control_hz)
        if entry not in self._report.formulas:
            self._report.formulas.append(entry)


def _name(head: str) -> str:
    return head.partition("(")[0].strip()
