"""Stands for ``antflow`` in processes that a script starts, until the alias has taken its place."""

from __future__ import annotations

from antflow_core.scripts.alias import AntFlowAlias

AntFlowAlias().install()
