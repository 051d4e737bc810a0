"""What a check found, and where."""

from __future__ import annotations

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Finding:
    """One remark of a check. An `error` refuses the source; a `warning` is shown.

    Line and column count from 1; 0 means that the remark has no place in the source.
    """

    pass_name: str
    severity: Literal["error", "warning"]
    message: str
    line: int = 0
    column: int = 0
