"""What was vouched for is known again, to the letter; nothing else is, and nothing at all without a cache."""

from healing_runtime.compile.cache import VARIABLE, Cache
from healing_runtime.core import codec
from healing_runtime.ledger.vouchers import Vouchers

DOCUMENT = {"run": "r", "begun": "sha256:1"}


def test_exactly_what_was_vouched_for_is_known_again(tmp_path):
    cache = Cache(tmp_path / "cache")
    assert Vouchers(cache).vouch(DOCUMENT)
    again = Vouchers(cache)
    assert again.vouched(dict(reversed(DOCUMENT.items())))
    assert not again.vouched({**DOCUMENT, "begun": "sha256:2"}) and not again.vouched({"run": "r"})


def test_what_lies_in_the_cache_for_another_reason_vouches_for_nothing(tmp_path):
    cache = Cache(tmp_path / "cache")
    assert cache.store(codec.canonical(DOCUMENT))
    assert not Vouchers(cache).vouched(DOCUMENT)


def test_without_a_cache_nothing_is_vouched_for(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "off")
    assert not Vouchers.here().vouch(DOCUMENT) and not Vouchers.here().vouched(DOCUMENT)
    monkeypatch.setenv(VARIABLE, "no/absolute/path")
    assert not Vouchers.here().vouch(DOCUMENT) and not Vouchers.here().vouched(DOCUMENT)
