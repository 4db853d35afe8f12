"""The record of what happened in runs: a packed event log, the search over it, and answers made from it."""
