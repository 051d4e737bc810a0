"""One call to Gemini, made safe: what `google-genai` leaves open is closed here.

Measured on 3.4.0: its time-out is per read (a dripping server outlives it), its retries ignore Retry-After, it follows
redirects with the key in a header, it continues long answers on its own without a bound, and a blocked, cut off or
fenced answer raises nothing. So: a deadline around everything, our own retries, no redirects, no continuation, and
every way in which a call can end is a `Reply`. No exception and no text leaves this file with the key in it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from healing_runtime.brains.brain import Usage

_CONNECT_S = 10.0
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_FINISHED = frozenset({"STOP", "FINISH_REASON_UNSPECIFIED", ""})
_BLOCKED = frozenset({"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "ESCALATION"})


@dataclasses.dataclass(frozen=True)
class WireSettings:
    """Bounds of one call. Delays double from `first_delay_s` to `max_delay_s`; a server may ask for longer."""

    max_output_tokens: int = 32_768
    tries: int = 4
    first_delay_s: float = 0.5
    max_delay_s: float = 8.0


class Reply(NamedTuple):
    """How a call ended. `outcome` as in `brain.Exchange`; `content`: the answer in the library's form, to feed back."""

    outcome: str
    text: str = ""
    detail: str = ""
    usage: Usage = Usage()
    content: Any = None


class _Failure(NamedTuple):
    detail: str
    retry: bool
    asked_delay_s: float = 0.0


class Wire:
    """A connection for one request of the brain. Use as an async context manager."""

    def __init__(self, key: str, base_url: str, settings: WireSettings) -> None:
        self._key = key
        self._base_url = base_url
        self._settings = settings
        self._client: Any = None
        self._http: tuple[Any, Any] = (None, None)

    def __repr__(self) -> str:
        return f"Wire({self._base_url!r})"

    async def __aenter__(self) -> Wire:
        import httpx2
        from google import genai
        from google.genai import types

        # Our own clients: no redirects (the key is a plain header), and one code path whatever else is installed.
        self._http = (
            httpx2.Client(follow_redirects=False),
            httpx2.AsyncClient(follow_redirects=False, event_hooks={"request": [_bound_connecting]}),
        )
        options = types.HttpOptions(
            base_url=self._base_url, api_version="v1beta", httpx_client=self._http[0], httpx_async_client=self._http[1]
        )
        self._client = genai.Client(api_key=self._key, vertexai=False, http_options=options)
        return self

    async def __aexit__(self, *_: object) -> None:
        blocking, concurrent = self._http
        blocking.close()
        await concurrent.aclose()
        self._client = None

    def user(self, text: str) -> Any:
        """Return a turn of the user."""
        from google.genai import types

        return types.Content(role="user", parts=[types.Part(text=text)])

    async def ask(
        self, model: str, system: str, contents: list[Any], schema: Mapping[str, Any], seed: int, deadline: float
    ) -> Reply:
        """Ask until an answer comes, the tries are spent or `deadline` (of `time.monotonic`) passes. Never raises."""
        config = self._config(system, schema, seed)
        failure = _Failure("", retry=True)
        calls = 0
        while failure.retry and calls < self._settings.tries:
            if calls and not await self._wait(calls, failure, deadline):
                break
            calls += 1
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    response = await self._client.aio.models.generate_content(
                        model=model, contents=contents, config=config
                    )
                return self._reply(response, calls)
            except TimeoutError:
                failure = _Failure("no answer before the deadline.", retry=False)
            # What the library raises for a foreign or broken answer cannot be listed; every kind ends as a reply.
            except Exception as error:
                failure = self._classified(error, model)
        after = f" (after {calls} calls)" if calls > 1 else ""
        return Reply("failed", detail=self._clean(failure.detail) + after, usage=Usage(calls=calls))

    def _config(self, system: str, schema: Mapping[str, Any], seed: int) -> Any:
        from google.genai import types

        return types.GenerateContentConfig(
            system_instruction=system,
            seed=seed,
            max_output_tokens=self._settings.max_output_tokens,
            response_mime_type="application/json",
            response_json_schema=dict(schema),
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            automatic_continuation=False,
        )

    async def _wait(self, calls: int, failure: _Failure, deadline: float) -> bool:
        """Back off before the next call (at least as long as the server asked); False if the deadline is nearer."""
        settings = self._settings
        delay_s = min(settings.first_delay_s * 2 ** (calls - 1), settings.max_delay_s) * random.uniform(0.5, 1.0)
        delay_s = max(delay_s, failure.asked_delay_s)
        if time.monotonic() + delay_s >= deadline:
            return False
        await asyncio.sleep(delay_s)
        return True

    # ------------------------------------------------------------ what came back
    def _reply(self, response: Any, calls: int) -> Reply:
        usage = _usage(response.usage_metadata, calls)
        feedback = response.prompt_feedback
        if feedback is not None and feedback.block_reason:
            return Reply("blocked", detail=f"the prompt was blocked ({_word(feedback.block_reason)}).", usage=usage)
        if not response.candidates:
            return Reply("failed", detail="an answer without candidates.", usage=usage)
        candidate = response.candidates[0]
        parts = (candidate.content.parts if candidate.content else None) or []
        text = self._clean("".join(part.text for part in parts if part.text and not part.thought))
        reason = _word(candidate.finish_reason)
        if reason == "MAX_TOKENS":
            limit = self._settings.max_output_tokens
            return Reply("truncated", text, f"the answer was cut off (MAX_TOKENS, limit {limit} tokens).", usage)
        if reason in _BLOCKED:
            return Reply("blocked", text, f"the answer was blocked ({reason}).", usage)
        if reason not in _FINISHED:
            return Reply("failed", text, f"the answer ended early ({reason}).", usage)
        return Reply("answered", text, "", usage, candidate.content if parts else None)

    def _classified(self, error: Exception, model: str) -> _Failure:
        import httpx2
        from google.genai import errors

        if isinstance(error, errors.APIError):
            said = f"HTTP {error.code} {error.status or ''}".strip() + f": {error.message or 'no message'}"
            hint = _hint(error.code, str(error.message), model)
            return _Failure(f"{said} {hint}".strip(), error.code in _RETRIED, _asked_delay_s(error))
        if isinstance(error, httpx2.TransportError):
            return _Failure(f"no connection ({type(error).__name__}: {error}).", retry=True)
        if isinstance(error, json.JSONDecodeError):
            return _Failure("the answer is not JSON; check GOOGLE_GEMINI_BASE_URL and proxies.", retry=False)
        return _Failure(f"the answer is not of the API's form ({type(error).__name__}).", retry=False)

    def _clean(self, text: str) -> str:
        return text.replace(self._key, "[key]")


async def _bound_connecting(request: Any) -> None:
    # The library sends every request without a limit on connecting; an address that swallows packets should not cost
    # the whole deadline.
    request.extensions["timeout"] = {**request.extensions.get("timeout", {}), "connect": _CONNECT_S}


def _hint(code: int, message: str, model: str) -> str:
    if code in (401, 403) or "api key" in message.lower():
        return "Check GEMINI_API_KEY."
    if code == 404:
        return f"Is there a model '{model}'? Name another with --brain gemini:MODEL."
    if 300 <= code < 400:
        return "A redirect is not followed with a key; check GOOGLE_GEMINI_BASE_URL."
    return ""


def _asked_delay_s(error: Any) -> float:
    """Read how long the server asks to wait: Retry-After in seconds, or google.rpc.RetryInfo."""
    headers = getattr(error.response, "headers", None) or {}
    asked = [headers.get("retry-after") or ""]
    inner = error.details.get("error") if isinstance(error.details, Mapping) else None
    details = inner.get("details") if isinstance(inner, Mapping) else None
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, Mapping) and str(detail.get("@type", "")).endswith("google.rpc.RetryInfo"):
            asked.append(str(detail.get("retryDelay", "")))
    seconds = [re.fullmatch(r"(\d+(?:\.\d+)?)s?", text.strip()) for text in asked]
    return max((float(match[1]) for match in seconds if match), default=0.0)


def _usage(counts: Any, calls: int) -> Usage:
    def count(name: str) -> int:
        return getattr(counts, name, None) or 0

    return Usage(
        calls=calls,
        prompt_tokens=count("prompt_token_count"),
        answer_tokens=count("candidates_token_count"),
        thought_tokens=count("thoughts_token_count"),
        cached_tokens=count("cached_content_token_count"),
        total_tokens=count("total_token_count"),
    )


def _word(value: Any) -> str:
    return str(getattr(value, "value", value) or "")
