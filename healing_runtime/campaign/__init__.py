"""Many flights for one question."""
