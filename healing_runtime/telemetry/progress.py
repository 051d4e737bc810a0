"""Progress of long work: a bar on a terminal, plain lines elsewhere, nothing by default.

Shown on the stream that it is made for, never on stdout by itself.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol, TextIO

_LINE_EVERY_S = 2.0


class Progress(Protocol):
    """What long work tells."""

    def phase(self, text: str) -> None:
        """Something new begins; always shown."""
        ...

    def advance(self, fraction: float, text: str = "") -> None:
        """How much of the phase is done, 0 … 1; shown as often as is readable."""
        ...

    def aside(self) -> contextlib.AbstractContextManager[None]:
        """Out of the way while somebody is asked something."""
        ...


class Silent:
    """Shows nothing."""

    def phase(self, text: str) -> None:
        """Show nothing."""

    def advance(self, fraction: float, text: str = "") -> None:
        """Show nothing."""

    def aside(self) -> contextlib.AbstractContextManager[None]:
        """Nothing is in the way."""
        return contextlib.nullcontext()


class Lines:
    """One plain line a phase, and one every two seconds while it goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next = 0.0

    def phase(self, text: str) -> None:
        """Write the line."""
        self._line(text)

    def advance(self, fraction: float, text: str = "") -> None:
        """Write a line, if the last one is old enough."""
        if time.monotonic() >= self._next:
            self._line(f"{_percent(fraction)}  {text}".rstrip())

    def aside(self) -> contextlib.AbstractContextManager[None]:
        """Nothing is in the way."""
        return contextlib.nullcontext()

    def _line(self, text: str) -> None:
        self._next = time.monotonic() + _LINE_EVERY_S
        with contextlib.suppress(OSError, ValueError):  # a closed pipe must not end a flight
            self._stream.write(text + "\n")
            self._stream.flush()


class Bar:
    """A line a phase and a bar below, drawn by rich."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._shown = RichProgress(*columns, console=Console(file=stream), transient=True)
        self._task = self._shown.add_task("", total=None)
        self._shown.start()

    def phase(self, text: str) -> None:
        """Keep the text above the bar, and start the bar anew."""
        self._shown.console.print(text, markup=False, highlight=False)
        self._shown.reset(self._task, description="", total=None)

    def advance(self, fraction: float, text: str = "") -> None:
        """Move the bar."""
        from rich.markup import escape

        self._shown.update(self._task, completed=min(max(fraction, 0.0), 1.0), total=1.0, description=escape(text))

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar away for a while."""
        self._shown.stop()
        try:
            yield
        finally:
            self._shown.start()

    def close(self) -> None:
        """Take the bar away."""
        self._shown.stop()


@contextlib.contextmanager
def for_stream(stream: TextIO | None = None) -> Iterator[Progress]:
    """A bar if the stream (stderr) is a terminal, else plain lines."""
    shown = sys.stderr if stream is None else stream
    if not shown.isatty():
        yield Lines(shown)
        return
    with contextlib.closing(Bar(shown)) as bar:
        yield bar


def _percent(fraction: float) -> str:
    return f"{100.0 * min(max(fraction, 0.0), 1.0):3.0f} %"
