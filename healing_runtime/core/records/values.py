"""Values inside records that several of them hold."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator

Json = Any

Measured = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A float that may be NaN: what was measured or computed in flight, as opposed to what somebody configured."""
