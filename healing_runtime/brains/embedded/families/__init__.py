"""Controller families: structures that fit a robot by the shape of its signal table.

A family is one module with `fits(table, goal)` and `design(...)`; its gains come from what was measured on the twin, and the search
does the rest. Simple structures stand before rich ones.
"""

from healing_runtime.brains.embedded.families.catalogue import FAMILIES, Brief, Draft, Family

__all__ = ["FAMILIES", "Brief", "Draft", "Family"]
