"""Ctrl-C that cannot get lost."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

AGAIN_S = 0.05


def insist() -> None:
    """Ask again where Python swallows a `KeyboardInterrupt`.

    It is raised wherever the main thread stands. In a finaliser or a garbage collection callback (JAX registers one)
    Python drops what is raised, and the program would fly on as if nobody had pressed a key.
    """
    sys.unraisablehook = _dropped


def _dropped(unraisable: Any) -> None:
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    # A signal to the main thread itself also ends what it waits in; `_thread.interrupt_main` would be heard afterwards.
    main = threading.main_thread().ident
    again = threading.Timer(AGAIN_S, signal.pthread_kill, (main, signal.SIGINT))
    again.daemon = True
    again.start()
