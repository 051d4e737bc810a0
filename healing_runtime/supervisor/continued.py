"""The log of a run that goes on: written anew from its first row, and put in the place of the old one when it is whole.

The old log stays until then, so that a kill in between leaves what there was. The new one must begin with it, message
by message: a run that goes on is one run.
"""

from __future__ import annotations

from collections.abc import Sequence

from healing_runtime.core.errors import ReplayDivergence
from healing_runtime.supervisor import comparing
from healing_runtime.telemetry.mcap import LogMessage, read_log
from healing_runtime.telemetry.record import RunFolder
from healing_runtime.telemetry.whole_files import rename


class ContinuedLog:
    """The new log of a run, beside its old one. One object a resumption.

    Attributes:
        path: where it is written.
    """

    def __init__(self, folder: RunFolder, earlier: Sequence[LogMessage]) -> None:
        self.folder, self.path = folder, folder.path / ".log.mcap.resumed"
        self._earlier = earlier
        self.path.unlink(missing_ok=True)  # of a resumption that was killed

    def put_in_place(self) -> None:
        """Let it be the log, once it is closed; a second call does nothing.

        Raises:
            ReplayDivergence: it does not begin with the old log, which then stays.
        """
        if not self.path.exists():
            return
        differs = comparing.first_difference(self._earlier, read_log(self.path).messages, truncated=True)
        if differs is not None:
            self.path.unlink()
            raise ReplayDivergence(
                f"{self.folder.path}: executed again the run is not what it was ({differs.what}); its log is left as "
                "it was. See heal replay --verify."
            )
        rename(self.path, self.folder.log_path)
