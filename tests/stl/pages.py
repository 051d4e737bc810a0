"""Formulas that stand in the running text of a page."""

from __future__ import annotations

import re

_SIGNS = re.compile(r"[<>]|\b(?:always|eventually|until|historically|once|since|implies|and|or|not)\b|\w\(")
_NUMBER = re.compile(r"\w+\[\d+\]|(?:abs|min|max|norm|clamp)\([^<>]*\)")


def formulas_in_passing(page: str) -> list[tuple[str, bool]]:
    """Formulas in backticks, and whether the page says that they are refused; `…` stands for any formula.

    Left out are commands, single words, signs and readings, and YAML. An operator with only its window gets `contact`;
    a calculation alone is compared with itself.
    """
    prose = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    found = []
    for span in re.finditer(r"`([^`]+)`(\s+is\s+refused)?", prose):
        text = " ".join(span[1].split()).replace("…", "contact")
        if text.startswith("heal ") or "{" in text or "+ -" in text or re.fullmatch(r"observed\([\w.]+\)", text):
            continue
        if _NUMBER.fullmatch(text):
            found.append((f"{text} <= {text}", bool(span[2])))
        elif re.fullmatch(r"\w+\[[^]]*\]", text):
            found.append((f"{text} (contact)", bool(span[2])))
        elif _SIGNS.search(text) and (" " in text or "(" in text):
            found.append((text, bool(span[2])))
    return found
