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
from healing_runtime.stl.parse import Text, parse_text
from healing_runtime.workspace.document import read_document
from healing_runtime.workspace.faults import Trigger


class Formulas:
    """Checks the formulas of files and flights, and notes what is found."""

    def __init__(self, home: workspace.Workspace, report: Report) -> None:
        self._home, self._report = home, report

    def file(self, file: AssertionFile, control_hz: int) -> None:
        """Every assertion on its own first, so that one mistake does not hide the next; then the file as a whole."""
        self._report.looked_at(file.path)
        table = self._table(file)
        if not self._each(file, table, control_hz, frozenset()) and table is not None:
            bound = stl.bind([file], table, control_hz)
            self._names([*analysis.names(file, table), *analysis.idle_scales(file, bound)], file)
            self._note(analysis.examine(bound, table))

    def rest(self, reading: workspace.Reading, where: Location) -> None:
        """A file whose form is wrong: that, and what else is; without a rate, since no scenario can fly it."""
        for mistake in reading.mistakes:
            self._report.mistake(mistake, where)
        if reading.file is not None:
            self._report.looked_at(reading.file.path)
            self._each(reading.file, self._table(reading.file), None, reading.left_out)

    def _table(self, file: AssertionFile) -> SignalTable | None:
        """The robot's signals; None if the file names no robot, or none that there is, which is a mistake."""
        if not file.robot:
            return None
        try:
            return self._home.robot(file.robot).signals
        except InputError as error:
            self._report.mistake(error, read_document(Path(file.path)).where(("robot",)))
            return None

    def _each(
        self, file: AssertionFile, table: SignalTable | None, control_hz: int | None, left_out: frozenset[str]
    ) -> int:
        """Look at every assertion that rests on nothing wrong; how many mistakes there are.

        Without signals they are read for their syntax alone.
        """
        wrong = self._wrong_names(file)
        faults = len(wrong)
        sound = dataclasses.replace(
            file,
            constants={name: text for name, text in file.constants.items() if name not in wrong},
            definitions={head: text for head, text in file.definitions.items() if _name(head) not in wrong},
        )
        wrong |= left_out
        for assertion in file.assertions:
            try:
                if table is None:
                    parse_text(Text(assertion.formula, assertion.where))
                elif not wrong or not analysis.rests_on(file, assertion.formula, wrong):
                    (bound,) = stl.bind([dataclasses.replace(sound, assertions=(assertion,))], table, control_hz)
                    if control_hz is not None:
                        self._row(bound, table, control_hz)
            except InputError as error:
                faults += 1
                self._report.mistake(error, Location(file.path))
        return faults

    def triggers(self, triggers: Sequence[Trigger], table: SignalTable, control_hz: int | None) -> None:
        """The formulas that a scenario's faults wait for, each on its own."""
        for trigger in triggers:
            try:
                stl.condition(trigger.text, table, control_hz, trigger.where)
            except InputError as error:
                self._report.mistake(error, trigger.where)

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

    def _names(self, found: Sequence[analysis.NameFinding], file: AssertionFile) -> None:
        document = read_document(Path(file.path))
        for key, message in found:
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
