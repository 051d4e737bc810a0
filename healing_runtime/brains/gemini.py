"""Gemini: a request goes out as text, one structured answer comes back; a malformed one is fed back once.

The key is read from GEMINI_API_KEY when a request is made, lives in that call alone (`gemini_wire`), and is cut out of
everything that leaves it. GOOGLE_GEMINI_BASE_URL names another endpoint of the same REST form.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import re
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from healing_runtime.brains import answer, instruction, prompt
from healing_runtime.brains.brain import BrainContext, Exchange, Usage
from healing_runtime.brains.gemini_wire import Reply, Wire, WireSettings
from healing_runtime.core.errors import BrainUnavailable, InputError
from healing_runtime.core.records import Proposal, RepairRequest

DEFAULT_MODEL = "gemini-3-pro-preview"
KEY_VARIABLE = "GEMINI_API_KEY"
URL_VARIABLE = "GOOGLE_GEMINI_BASE_URL"
DEFAULT_URL = "https://generativelanguage.googleapis.com/"

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TURNS = 2
_GRACE_S = 1.0

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class GeminiSettings:
    """How Gemini is asked. `token_budget` caps what one brain spends in all, as the provider counts."""

    model: str = DEFAULT_MODEL
    token_budget: int = 1_000_000
    wire: WireSettings = dataclasses.field(default_factory=WireSettings)

    def __post_init__(self) -> None:
        if not _MODEL.fullmatch(self.model):
            raise InputError(f"'{self.model}' is not the name of a model; write for example gemini:{DEFAULT_MODEL}.")


class GeminiBrain:
    """Asks Gemini; one proposal a request."""

    def __init__(self, context: BrainContext, settings: GeminiSettings | None = None) -> None:
        self._context = context
        self._settings = settings or GeminiSettings()
        self._told = False
        self.name = f"gemini:{self._settings.model}"
        self.usage = Usage()

    def propose(self, request: RepairRequest) -> tuple[Proposal, ...]:
        """Ask once; a malformed answer is fed back once, within the same deadline.

        Raises:
            BrainUnavailable: no key, unreachable, blocked, cut off, malformed twice, out of time or budget.
        """
        _require_key()
        base_url = _base_url()
        if self.usage.total_tokens >= self._settings.token_budget:
            raise BrainUnavailable(
                f"{self.name} has spent {self.usage.total_tokens} tokens, its budget is {self._settings.token_budget}."
            )
        text = prompt.render(request, self._context.table())
        self._tell_once(request, base_url, len(text))
        ended = self._converse(request, text, base_url)
        if ended.proposal is None:
            raise BrainUnavailable(f"{self.name}: {ended.failure}")
        return (ended.proposal,)

    def close(self) -> None:
        """Nothing is kept open between requests."""

    def _converse(self, request: RepairRequest, text: str, base_url: str) -> _Ended:
        """Run the conversation on a thread of its own, so that it works under a running event loop too."""
        deadline_s = self._context.deadline_s
        deadline = time.monotonic() + deadline_s
        exchanges: list[Exchange] = []

        async def conversation() -> _Ended:
            async with Wire(os.environ[KEY_VARIABLE].strip(), base_url, self._settings.wire) as wire:
                return await self._turns(wire, request, text, deadline, exchanges)

        try:
            return _within(deadline_s + _GRACE_S, conversation)
        except TimeoutError:
            # Only reached if the library blocks the event loop itself (name resolution, for one).
            return _Ended(None, f"no answer within {deadline_s:g} s.")
        finally:
            for exchange in tuple(exchanges):
                self.usage += exchange.usage
                self._context.record(exchange)

    async def _turns(
        self, wire: Wire, request: RepairRequest, text: str, deadline: float, exchanges: list[Exchange]
    ) -> _Ended:
        contents: list[Any] = [wire.user(text)]
        seed = (request.seed + len(request.attempts)) % 2**31
        reason = ""
        for turn in range(1, _TURNS + 1):
            started = time.monotonic()
            reply = await wire.ask(
                self._settings.model, instruction.system(), contents, answer.schema(), seed, deadline
            )
            proposal, reply = _validated(reply)
            exchanges.append(
                Exchange(
                    brain=self.name,
                    incident_id=request.incident_id,
                    turn=turn,
                    system=instruction.system(),
                    prompt=text,
                    answer=reply.text,
                    outcome=reply.outcome,
                    detail=reply.detail,
                    usage=reply.usage,
                    wall_s=time.monotonic() - started,
                )
            )
            if proposal is not None:
                return _Ended(proposal)
            if reply.outcome != "malformed":
                return _Ended(None, reply.detail)
            reason, text = reply.detail, prompt.malformed(reply.detail)
            contents += [*([reply.content] if reply.content is not None else []), wire.user(text)]
        return _Ended(None, f"{_TURNS} answers outside the schema, the last: {reason}")

    def _tell_once(self, request: RepairRequest, base_url: str, characters: int) -> None:
        if self._told:
            return
        self._told = True
        parts = urlsplit(base_url)
        seconds = len(request.log_ticks) / request.control_hz
        unencrypted = ", unencrypted" if parts.scheme == "http" else ""
        self._context.narrate(
            f"{self.name} at {parts.hostname}{unencrypted} is sent, with each request, the controller's source, the "
            f"assertions, the robot's signal table and nominal setting, {seconds:.1f} s of flight log and the earlier "
            f"attempts ({characters} characters now)."
        )


class _Ended(NamedTuple):
    """How a conversation ended: with a proposal, or with a sentence that says why not."""

    proposal: Proposal | None
    failure: str = ""


def _validated(reply: Reply) -> tuple[Proposal | None, Reply]:
    if reply.outcome != "answered":
        return None, reply
    try:
        return answer.read(reply.text), reply
    except answer.MalformedAnswerError as error:
        return None, reply._replace(outcome="malformed", detail=str(error))


def _require_key() -> None:
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        raise BrainUnavailable(f"{KEY_VARIABLE} is not set; set it to a Gemini API key, or fly with --brain embedded.")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise BrainUnavailable(f"{KEY_VARIABLE} holds characters that no key has; set it again.")


def _base_url() -> str:
    url = os.environ.get(URL_VARIABLE, "").strip() or DEFAULT_URL
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BrainUnavailable(f"{URL_VARIABLE} is not an http(s) address; write for example {DEFAULT_URL}")
    return url


def _within(limit_s: float, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine on a daemon thread and wait at most `limit_s`. TimeoutError leaves the thread to itself."""
    future: Future[T] = Future()

    async def main() -> None:
        try:
            future.set_result(await work())
        except BaseException as error:
            future.set_exception(error)

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="gemini", daemon=True)
    thread.start()
    result = future.result(timeout=limit_s)
    thread.join(timeout=_GRACE_S)
    return result
