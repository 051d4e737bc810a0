"""What commands print: one JSON document, or text for people; and errors as one line."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from healing_runtime.core.errors import Location, OutsideError

if TYPE_CHECKING:
    from healing_runtime.telemetry.progress import Progress

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON document on stdout; progress and logs on stderr.")]
RunsOption = Annotated[
    Path | None, typer.Option("--out", help="The folder that 'heal run --out' was given; <workspace>/runs if left out.")
]

_DOUBLE_STOP = re.compile(r"(?<=[^\s./])([.?!])\.(?=\s|$)")
"""Two stops at the end of a sentence; those of a path, such as `../x` or `..`, stay."""
_GOOD = {"succeeded", "healed", "true", "accepted", "kept", "ok", "identical", "agrees", "approved"}
_BAD = {"violated", "aborted", "false", "invalid", "refused", "error", "diverged", "rejected"}
_MIDDLING = {"fallback", "unknown", "vacuous", "awaiting_approval", "warning", "pending"}


class ReaderGone(Exception):
    """Standard output was closed by whoever read it."""


def keep_stdout_for_us() -> None:
    """Let `sys.stdout` be the only way to standard output: what C libraries print goes to stderr.

    One line of theirs in front of a JSON document would break every reader.
    """
    sys.stdout.flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(ours, "w", encoding="utf-8", buffering=1)


def emit(document: Any, as_json: bool, text: Callable[[], Iterable[str]]) -> None:
    """Print the document as JSON, or the lines of `text()`.

    Raises:
        ReaderGone: nobody reads our output any more (`heal … | head`).
        OutsideError: it cannot be written, to a full disk for one.
    """
    lines = [_as_json(document)] if as_json else text()
    try:
        for line in lines:
            typer.echo(line)
    except BrokenPipeError:
        raise ReaderGone from None
    except OSError as error:
        abandon_stdout()
        raise not_printed(error) from error


def not_printed(error: OSError) -> OutsideError:
    """Why standard output takes no more, and what to do."""
    reason = (error.strerror or str(error)).lower()
    return OutsideError(f"standard output cannot be written: {reason}; send it where there is room.")


def _as_json(document: Any) -> str:
    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()  # half of a pair, which no stream takes, is escaped


def fail(message: str, code: int, *, where: Location | None = None, as_json: bool) -> int:
    """Say on stderr in one line what is wrong, with `--json` as a document on stdout too; give the exit code back."""
    typer.echo(f"heal: {where}: {first_line(message)}" if where else f"heal: {first_line(message)}", err=True)
    if as_json:
        place = {"path": where.path, "line": where.line or None, "column": where.column or None} if where else None
        try:
            typer.echo(json.dumps({"error": {"message": message, "where": place, "exit_code": code}}, indent=2))
        except OSError:
            abandon_stdout()
    return code


def complain(damaged: Sequence[str]) -> None:
    """Name on stderr what could not be listed beside what was, and end with exit code 2 if there is any."""
    for message in damaged:
        typer.echo(f"heal: {printable(first_line(message))}", err=True)
    if damaged:
        raise typer.Exit(2)


def stdout_is_full() -> bool:
    """Whether what was printed cannot be written; nothing more is tried then, at the interpreter's end neither."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError:
        abandon_stdout()
        return True
    return False


def on_terminal() -> bool:
    """Whether somebody is there to ask."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def printable(text: str) -> str:
    """Somebody else's words, of which none moves a terminal or cannot be written."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def first_line(message: str) -> str:
    """What is wrong and what to do; below it a message may point into the text, which is for JSON readers."""
    return _DOUBLE_STOP.sub(r"\1", " ".join(message.partition("\n")[0].split()))


def count(number: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def abandon_stdout() -> int:
    """Stop quietly after `ReaderGone`, as Unix programs do."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141


def word(text: str) -> str:
    """An outcome or status, coloured on a terminal; typer drops the colour elsewhere."""
    if os.environ.get("NO_COLOR"):
        return text
    for words, colour in ((_GOOD, "green"), (_BAD, "red"), (_MIDDLING, "yellow")):
        if text in words:
            return typer.style(text, fg=colour)
    return text


def table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> list[str]:
    """Columns aligned with spaces; the header is left out when there are no rows."""
    if not rows:
        return []
    cells = [[str(c) for c in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]
    return [
        lines[0],
        *("  ".join(_padded(c, w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells[1:]),
    ]


def _padded(cell: str, width: int) -> str:
    return word(cell) + " " * (width - len(cell))


def number(value: Any, digits: int = 4) -> str:
    """A JSON number for people: null is `invalid`, infinities stay words."""
    if value is None:
        return "invalid"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """A bar on a terminal, plain lines elsewhere; always on stderr."""
    from healing_runtime.telemetry import progress as kinds

    with kinds.for_stream(sys.stderr) as shown:
        yield shown
