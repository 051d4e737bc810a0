"""Brains: who writes the better controller. Each answers a serialised request with proposals, and decides nothing."""
