"""A recording: what was measured, as named samples at a fixed period. Where it came from no longer matters."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from fractions import Fraction

import numpy as np


@dataclasses.dataclass(frozen=True)
class Recording:
    """Samples in SI, one row a period; formulas are judged over it.

    Attributes:
        name: what the user called it: a run id, a file name.
        robot: the robot whose signals these are; empty if the file does not say.
        period_s: exact time between two samples.
        t_s: float64 [N], time of each sample.
        signals: name -> samples [N], or [N, components], under the names formulas use. What a sensor said stands under
            `observed(<name>)`. A sample that is missing or stale is NaN.
        notes: what a reader must know, a line each: samples that are missing, sensors that stand for the truth, columns
            that were left out.
        columns: the headings of the file as they stand there; empty for our own records.
    """

    name: str
    robot: str
    period_s: Fraction
    t_s: np.ndarray
    signals: Mapping[str, np.ndarray]
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    @property
    def dt_s(self) -> float:
        """The period as a float."""
        return float(self.period_s)

    def __len__(self) -> int:
        return len(self.t_s)
