"""Where a free body may begin and how fast: far beyond any flight, and near enough that physics is still that."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Aside = Annotated[float, Field(ge=-4e3, le=4e3)]
"""A position sideways, m."""
Height = Annotated[float, Field(ge=-4e3, le=1e5)]
"""A position upwards, m; a tilted pad falls below its centre."""
Rate = Annotated[float, Field(ge=-1e3, le=1e3)]
"""A part of a velocity, m/s, or of an angular velocity, rad/s."""
