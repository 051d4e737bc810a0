"""The supervisor: flies, notices, has repaired, swaps, watches, remembers."""
