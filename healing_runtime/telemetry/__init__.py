"""The record of a run while it happens: the log, the run folder, progress."""
