"""Pinned threads and the fingerprint."""

import json

from healing_runtime.core import platform


def test_threads_are_pinned_and_the_users_device_is_kept(monkeypatch):
    monkeypatch.setenv("NPROC", "8")
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    platform.pin_environment()
    found = platform.fingerprint()
    assert (found["nproc"], found["jax_platforms"]) == ("1", "cuda")


def test_fingerprint_names_what_changes_results():
    found = platform.pin_platform()
    assert found["jax"] and found["jaxlib"] and found["numpy"] and found["pybullet"]
    assert found["libm"] and found["cpu_features"].startswith("sha256:")
    assert found["visible_cores"] >= 1
    assert found == json.loads(json.dumps(found))


def test_a_package_that_is_not_there_is_null():
    assert platform._version("no-such-package-here") is None
