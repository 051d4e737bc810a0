"""A run's folder: written as things happen, every file atomically, readable after a kill at any byte.

    runs/<UTC time>-<scenario>-<4 hex>/
        manifest.json   log.mcap   incidents/<id>/…   regressions.json   result.json

The manifest is there before anything moves; a folder without a result is a run that did not end.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from healing_runtime.core import codec
from healing_runtime.core.errors import RecordError
from healing_runtime.telemetry.claim import Claim
from healing_runtime.telemetry.whole_files import remove, rename, write_whole

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ATTEMPT = re.compile(r"attempt-(\d+)\.json")
_EXCHANGE = re.compile(r"exchange-(\d+)\.json")
MAX_BYTES = 64 << 20
"""Largest file of a record that is read, the log apart. What runs write is a thousand times smaller."""
MAX_DEPTH = 64
"""Deepest nesting of a document of a record. What runs write is ten times flatter."""


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """One run's folder; all methods read and write the files below it."""

    path: Path

    @classmethod
    def create(cls, parent: Path, scenario_name: str) -> RunFolder:
        """Make the folder of a new run below `parent`, which is made too. RecordError where that is not possible."""
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        name = re.sub(r"[^A-Za-z0-9._]+", "-", scenario_name).strip("-.") or "run"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            while True:
                path = parent / f"{stamp}-{name}-{secrets.token_hex(2)}"
                try:
                    path.mkdir()
                    return cls(path)
                except FileExistsError:
                    continue
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RecordError(
                f"no run folder can be made in {parent}: {reason}; give another one with --out."
            ) from error

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """The folder of a recorded run. RecordError if it is none."""
        if not path.is_dir():
            raise RecordError(f"there is no run folder {path}; give the folder that heal run printed.")
        if not (path / "manifest.json").is_file():
            raise RecordError(f"{path} holds no manifest.json, so it is no run; give the folder that heal run printed.")
        folder = cls(path.resolve())
        folder._must_hold(*(folder.path / name for name in ("manifest.json", "log.mcap", "result.json")))
        return folder

    @property
    def run_id(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def log_path(self) -> Path:
        """Where the log is, or will be."""
        return self.path / "log.mcap"

    @property
    def ended(self) -> bool:
        """Whether a result was written."""
        return (self.path / "result.json").is_file()

    # ------------------------------------------------------------ writing
    def write_manifest(self, document: Mapping[str, Any]) -> None:
        """Scenario, resolved configuration, seeds, versions, fingerprint, hashes of all inputs."""
        write_whole(self.path / "manifest.json", _bytes_of(document))

    def write_result(self, document: Mapping[str, Any]) -> None:
        """The document that `--json` prints. The last thing a run writes."""
        write_whole(self.path / "result.json", _bytes_of(document))

    def write_regressions(self, document: Mapping[str, Any]) -> None:
        """The scenarios that no patch of this run may lose, once they are known."""
        write_whole(self.path / "regressions.json", _bytes_of(document))

    def write_incident(self, incident: str, name: str, content: Mapping[str, Any] | list[Any] | str | bytes) -> None:
        """A file of an incident: text and bytes as they are, everything else as JSON."""
        write_whole(self._incident_file(incident, name), _bytes_of(content))

    def forget_result(self) -> None:
        """The run has not ended after all: it goes on."""
        remove(self.path / "result.json")

    def claim(self) -> Claim:
        """Be the only process that flies this run; ends with the process at the latest, however that ends.

        Raises:
            RecordError: another process has claimed it.
        """
        return Claim.on(self.path)

    # ------------------------------------------------------------ reading
    def exchanges(self) -> int:
        """The highest number of an exchange with a remote brain."""
        numbers = (_EXCHANGE.fullmatch(name) for i in self.incident_ids() for name in self.incident_files(i))
        return max((int(number[1]) for number in numbers if number), default=0)

    def set_aside(self, incident: str, names: Sequence[str], prefix: str) -> None:
        """Rename files of an incident that no longer say what counts; those that are not there are passed over."""
        for name in names:
            path = self._incident_file(incident, name)
            if path.exists():
                rename(path, path.with_name(prefix + _checked(name)))

    def read_manifest(self) -> dict[str, Any]:
        """The manifest. RecordError if it is missing or damaged."""
        return self._read_json(self.path / "manifest.json")

    def read_result(self, *, missing_ok: bool = False) -> dict[str, Any] | None:
        """The result; None for a run that did not end, where that is allowed. RecordError if it is damaged."""
        if missing_ok and not self.ended:
            return None
        return self._read_json(self.path / "result.json")

    def read_regressions(self) -> dict[str, Any] | None:
        """What `write_regressions` wrote; None where nothing was. RecordError if it is damaged."""
        path = self.path / "regressions.json"
        return self._read_json(path) if path.is_symlink() or path.exists() else None

    def incident_ids(self) -> tuple[str, ...]:
        """The incidents of the run, sorted."""
        return tuple(p.name for p in self._inside("incidents") if p.is_dir())

    def incident_files(self, incident: str) -> tuple[str, ...]:
        """The files of an incident, sorted."""
        return tuple(p.name for p in self._inside("incidents", _checked(incident)) if _NAME.fullmatch(p.name))

    def read_incident(self, incident: str, name: str) -> Any:
        """A file of an incident: parsed JSON for `.json`, else text. RecordError if it is missing or damaged."""
        path = self._incident_file(incident, name)
        return self._read_json(path) if path.suffix == ".json" else self._read_bytes(path).decode("utf-8", "replace")

    def read_attempts(self, incident: str) -> tuple[dict[str, Any], ...]:
        """Every recorded attempt of an incident (`attempt-01.json` and on), in order.

        What was set aside after a rollback has a longer name.
        """
        found = [name for file in self.incident_files(incident) if (name := _ATTEMPT.fullmatch(file))]
        found.sort(key=lambda name: int(name[1]))  # the hundredth has more digits
        return tuple(self.read_incident(incident, name[0]) for name in found)

    def read_ending(self, incident: str) -> dict[str, Any]:
        """How an incident ended (`ending.json`); empty where the run was cut off before."""
        return self.read_incident(incident, "ending.json") if "ending.json" in self.incident_files(incident) else {}

    def _incident_file(self, incident: str, name: str) -> Path:
        return self.path / "incidents" / _checked(incident) / _checked(name)

    def _inside(self, *names: str) -> list[Path]:
        """What a folder of this record holds, sorted; nothing where there is none."""
        folder = self.path.joinpath(*names)
        self._must_be_inside(folder)
        try:
            found = sorted(folder.iterdir()) if folder.is_dir() else []
        except OSError as error:
            raise RecordError(f"{folder} cannot be read: {(error.strerror or str(error)).lower()}.") from error
        for path in found:
            self._must_be_inside(path)
        return found

    def _must_be_inside(self, path: Path) -> None:
        if not path.resolve().is_relative_to(self.path.resolve()):
            raise RecordError(f"{path} leads out of the run folder; copy the file into it.")

    def _must_hold(self, *paths: Path) -> None:
        """Refuse what is no file of this record: a link that leads out of the folder, a pipe, a device."""
        for path in paths:
            self._must_be_inside(path)
            if path.exists() and not path.is_file():
                raise RecordError(f"{path} is no file; the run must be recorded again.")

    def _read_bytes(self, path: Path) -> bytes:
        self._must_hold(path)
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise RecordError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.") from error
        if len(data) > MAX_BYTES:
            raise RecordError(f"{path} is larger than {MAX_BYTES >> 20} MiB; no run writes such a file.")
        return data

    def _read_json(self, path: Path) -> dict[str, Any]:
        try:
            document = json.loads(self._read_bytes(path), parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise RecordError(f"{path} is damaged: not JSON; the run must be recorded again.") from None
        if not isinstance(document, dict):
            raise RecordError(f"{path} is damaged: not a mapping; the run must be recorded again.")
        if _deeper_than(document, MAX_DEPTH):
            raise RecordError(f"{path} is damaged: nested too deeply; the run must be recorded again.")
        return document


def _deeper_than(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise RecordError(f"'{name}' is not a name for a file of a record.")
    return name


def _bytes_of(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    return json.dumps(codec.plain(content), indent=1, allow_nan=False).encode() + b"\n"
