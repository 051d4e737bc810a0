"""Controller families: structures that fit a robot by the shape of its signal table.

A family says whether it fits a signal table and drafts a controller from what was measured on the twin; the search does
the rest. Simple structures stand before rich ones.
"""

from healing_runtime.brains.embedded.families.catalogue import FAMILIES, Brief, Draft, Family

__all__ = ["FAMILIES", "Brief", "Draft", "Family"]
