"""Confined worker processes, forked from a warm zygote: one job each, then killed."""
