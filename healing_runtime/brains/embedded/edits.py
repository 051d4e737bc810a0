"""Edits of the source itself: constants and signs outside PARAMS, all open in one program.

Compiling one edit after the other would cost a second each. So every place that may be edited becomes a number of
PARAMS in a copy of the source that is only flown, never shown (mutant schemata: Untch, Offutt and Harrold 1993): a
constant becomes its own number, `a + b` becomes `a + sign * b`. What the search finds is written back into the original
as text, and every other character stays.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping

from healing_runtime.brains.embedded.sites import Site, open_sites
from healing_runtime.brains.embedded.space import Leaf, leaves, replaced
from healing_runtime.core.errors import SubsetError
from healing_runtime.language import source
from healing_runtime.language.source import Parsed


@dataclasses.dataclass(frozen=True)
class Opened:
    """A source whose constants and signs are open.

    Attributes:
        original: as it was found.
        parsed: the copy that is flown; with the numbers in its PARAMS it does what the original does.
        sites: what can be edited besides PARAMS.
    """

    original: Parsed
    parsed: Parsed
    sites: tuple[Site, ...]

    @property
    def own(self) -> tuple[Leaf, ...]:
        """The numbers of the original's PARAMS."""
        return tuple(leaves(self.original.params))

    @property
    def edits(self) -> tuple[Leaf, ...]:
        """The numbers of the sites."""
        return tuple(site.leaf for site in self.sites)

    def text(self, values: Mapping[Leaf, float]) -> str:
        """The original with other numbers; what is not named or has not moved keeps its spelling."""
        parsed = self.original
        text = parsed.source.text
        moved = [site for site in self.sites if values.get(site.leaf, site.leaf.value) != site.leaf.value]
        for site in sorted(moved, key=lambda site: -site.start):
            text = text[: site.start] + site.written(values[site.leaf]) + text[site.end :]
        edited = source.parse(text, name=parsed.source.name, path=parsed.source.path) if moved else parsed
        return source.with_params(edited, replaced(parsed.params, {leaf.path: v for leaf, v in values.items()}))


def opened(parsed: Parsed) -> Opened:
    """Open a source. It has no sites where there is nothing to edit, or where the copy would not be in the language."""
    copy = ast.parse(parsed.source.text)
    sites = open_sites(copy, parsed)
    if not sites:
        return Opened(parsed, parsed, ())
    params = {**parsed.params, **{str(site.leaf.path[0]): site.leaf.value for site in sites}}
    body = [s for s in copy.body if not (isinstance(s, ast.Assign) and ast.unparse(s.targets[0]) == "PARAMS")]
    first = next(i for i, s in enumerate(body) if isinstance(s, ast.Assign | ast.FunctionDef))
    copy.body = [*body[:first], *ast.parse(f"PARAMS = {params!r}").body, *body[first:]]
    try:
        flown = source.parse(ast.unparse(ast.fix_missing_locations(copy)), name=parsed.source.name)
    except SubsetError:
        return Opened(parsed, parsed, ())
    return Opened(parsed, flown, sites)
