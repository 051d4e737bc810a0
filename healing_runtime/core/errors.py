"""Every exception of the project, drawn as a tree.

    HealingError
    ├── InputError                 the user's input is wrong: one line, exit code 2
    │   ├── FileFormatError        YAML, unknown keys, wrong types, values out of range
    │   ├── NotFoundInCatalogue    a scenario, robot, controller or assertion file that is not there
    │   ├── SubsetError            a source outside TensorLang
    │   ├── AssertionSyntaxError   a formula that does not parse
    │   ├── UnitError              quantities that cannot be compared
    │   └── UnknownSignalError     a signal the robot does not have
    ├── ReplayDivergence           a replay differs from its record: exit code 3
    ├── OutsideError               something outside failed: brain unreachable, worker gone: exit code 4
    │   ├── BrainUnavailable
    │   ├── BudgetSpent            a budget ended before a job did; says nothing about the job
    │   ├── RunAborted
    │   └── WorkerFailed
    │       └── SandboxFailed      no worker could be had, whatever the job
    └── RecordError                a run folder that cannot be read: exit code 2
        └── RecordNotWritten       a record that the system cannot take (a full disk): exit code 4

Expected failures (a refused patch, a violated assertion) are values, not exceptions.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Location:
    """A place in a text file; line and column count from 1, 0 means unknown."""

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        parts = [self.path]
        if self.line:
            parts.append(str(self.line))
            if self.column:
                parts.append(str(self.column))
        return ":".join(parts)


class HealingError(Exception):
    """Root of the tree. `str(error)` is one line: where, what, what to do."""

    exit_code = 4

    def __init__(self, message: str, *, where: Location | None = None) -> None:
        self.message = message
        self.where = where
        super().__init__(f"{where}: {message}" if where else message)


class InputError(HealingError):
    """The input is wrong. `more` holds what else is wrong with it, where a reader knows.

    A plant that cannot be set up knows no file: it says in `at` what of the scenario is to blame, as a path of keys and
    numbers of entries, and who read the file puts the place to it.
    """

    exit_code = 2
    more: tuple[InputError, ...] = ()

    def __init__(self, message: str, *, where: Location | None = None, at: tuple[str | int, ...] = ()) -> None:
        super().__init__(message, where=where)
        self.at = at


class FileFormatError(InputError):
    """A file does not have the form its model asks for."""


class NotFoundInCatalogue(InputError):
    """A name resolves neither as a path, nor in the workspace, nor in the catalogue."""


class SubsetError(InputError):
    """A controller source uses something outside TensorLang."""


class AssertionSyntaxError(InputError):
    """A formula does not parse; the message carries a caret line and a suggestion."""


class UnitError(InputError):
    """Two quantities of different dimension meet."""


class UnknownSignalError(InputError):
    """A name that the robot's signal table does not hold; the message names the nearest ones."""


class ReplayDivergence(HealingError):
    """A replay produced something else than its record."""

    exit_code = 3


class OutsideError(HealingError):
    """Something that is not ours failed."""

    exit_code = 4


class BrainUnavailable(OutsideError):
    """A brain could not be reached, has no key, or spent its budget."""


class BudgetSpent(OutsideError):
    """Whoever asked has no time left for the answer, or no use for it."""


class WorkerFailed(OutsideError):
    """A confined worker died, hung or answered outside its schema."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


class SandboxFailed(WorkerFailed):
    """The sandbox itself did not start, died or was closed; says nothing about the job."""


class RunAborted(OutsideError):
    """A recorded run ended here because something outside failed; its replay ends here too."""


class RecordError(HealingError):
    """A run record is missing, foreign or damaged beyond reading."""

    exit_code = 2


class RecordNotWritten(RecordError):
    """A file of a record could not be written; the input is not to blame."""

    exit_code = 4
