"""The record of what happened in runs: a packed event log, answers and searches over it, and its files."""
