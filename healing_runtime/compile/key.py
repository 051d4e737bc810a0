"""What a build is: everything that the builder is told, and everything it compiles with and for.

Equal keys mean equal programs, so whatever could change one bit of a program's results is in the key.
"""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from healing_runtime.compile import devices
from healing_runtime.core.codec import digest, plain
from healing_runtime.core.platform import fingerprint

_SOURCES = ("compile", "core", "gate", "language", "stl")
"""Packages that make a program."""
_PARTS = (".py", ".lark")
_PACKAGES = ("lark", "pint")
"""Packages that read formulas and turn units into numbers, beside those of the fingerprint."""


def key_of(told: Mapping[str, Any], blobs: Sequence[bytes], machine: Mapping[str, Any]) -> str:
    """The key of a build.

    Args:
        told: the header of the builder's job: interface and source hash, assertion files, mission, signal table, rate,
            dtype, way of lowering.
        blobs: the bytes that come with it: StableHLO of control and contract, parameters, starting memory.
        machine: where it is compiled and runs (`machine`).
    """
    return digest({"told": plain(told), "blobs": [digest(blob) for blob in blobs], "machine": plain(machine)})


def machine() -> dict[str, Any]:
    """Device, CPU and its features, versions of jax, jaxlib and the runtime, XLA's flags, cores that XLA sees."""
    device = devices.default()[0]
    return {
        **fingerprint(),
        "device": [device.platform, device.device_kind, device.client.platform_version],
        **_versions(),
        "code": code_sha256(_SOURCES),
    }


@functools.cache
def _versions() -> dict[str, str]:
    """Looked up once, as those of the fingerprint: each look-up lists the folders that packages lie in."""
    return {package: importlib.metadata.version(package) for package in _PACKAGES}


@functools.cache
def code_sha256(packages: tuple[str, ...]) -> str:
    """One hash over the runtime's own files in these packages; between two releases its version says nothing."""
    root = Path(__file__).parents[1]
    files = sorted(p for name in packages for p in (root / name).rglob("*") if p.suffix in _PARTS)
    return digest({str(p.relative_to(root)): digest(p.read_bytes()) for p in files})
