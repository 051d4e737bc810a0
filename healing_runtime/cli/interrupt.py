"""Ctrl-C that cannot get lost."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

AGAIN_S = 0.05
_pressed = threading.Event()


class Interrupted(Exception):
    """Ctrl-C ended a command that can be gone on with; the message says how."""


def insist() -> None:
    """Ask again where Python swallows a `KeyboardInterrupt`, and remember that a key was pressed.

    It is raised wherever the main thread stands. In a finaliser or a garbage collection callback (JAX registers one)
    Python drops what is raised, and the program would fly on as if nobody had pressed a key. In the middle of an import
    it can come out as another error. Where the shell has SIGINT ignored, as for a job in the background, it stays so.
    """
    sys.unraisablehook = _dropped
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _press)


def pressed() -> bool:
    """Whether Ctrl-C has come: what failed after it failed by it."""
    return _pressed.is_set()


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Let a `KeyboardInterrupt` say what was noted on its way up (`add_note`): where a record lies, how to go on."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(" ".join(("interrupted.", *getattr(error, "__notes__", ())))) from None


def _press(number: int, frame: Any) -> None:
    _pressed.set()
    signal.default_int_handler(number, frame)


def _dropped(unraisable: Any) -> None:
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    # A signal to the main thread itself also ends what it waits in; `_thread.interrupt_main` would be heard afterwards.
    main = threading.main_thread().ident
    again = threading.Timer(AGAIN_S, signal.pthread_kill, (main, signal.SIGINT))
    again.daemon = True
    again.start()
