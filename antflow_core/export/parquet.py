"""Events as a Parquet file, for data frames: everything by name, texts that come again stored once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from antflow_core.export.json_lines import header_of
from antflow_core.export.plain_values import clean, item_text, json_text, per_item
from antflow_core.export.source import Events, EventSource, Rows
from antflow_core.history.errors import ErrorParts, filled_traceback
from antflow_core.history.records import KINDS, LARGEST_U2, NO_ERROR, NO_TASK, NO_WORKER

_GROUP_CHUNKS: Final = 8
"""A row group is 131,072 events: large enough to be read quickly, and about 10 MB in memory."""


def write_parquet(source: EventSource, path: Path, advance: Callable[[int], None]) -> None:
    """Write a file; needs pyarrow.

    Args:
        advance: Told the number of events after each part.
    """
    # Late, because it takes a tenth of a second and is not installed everywhere.
    from pyarrow.parquet import ParquetWriter  # type: ignore[import-untyped]

    columns = _Columns(source)
    with ParquetWriter(path, columns.schema, compression="zstd") as writer:
        for batches in _groups(columns.batch(rows, records) for rows, records in source.blocks()):
            writer.write_table(columns.table(batches))
            advance(sum(batch.num_rows for batch in batches))


class _Columns:
    """Turns events into columns of Arrow."""

    def __init__(self, source: EventSource) -> None:
        import pyarrow  # type: ignore[import-untyped]

        self._arrow = pyarrow
        self._source = source
        self._names = {
            "stage": [stage.name for stage in source.stages],
            "event": [*KINDS],
            "worker": source.workers,
            "task": source.tasks,
        }
        name = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
        types = {
            "row": pyarrow.int64(),
            "time": pyarrow.timestamp("us", tz="UTC"),
            "item": pyarrow.string(),
            "run": pyarrow.int32(),
            "stage": name,
            "event": name,
            "attempt": pyarrow.int32(),
            "worker": name,
            "task": name,
            "duration": pyarrow.float32(),
            "error_type": pyarrow.string(),
            "error": pyarrow.string(),
            "traceback": pyarrow.string(),
            "item_number": pyarrow.int32(),
            "error_number": pyarrow.int32(),
        }
        told = {"antflow": json_text(header_of(source))}
        self.schema: Any = pyarrow.schema(types.items(), metadata=told)

    def batch(self, rows: Rows, records: Events) -> Any:
        """Some events as a batch."""
        array = self._arrow.array
        none = records["error"] == NO_ERROR
        types, messages, tracebacks = self._error_texts(records)
        columns = {
            "row": array(rows),
            "time": array(np.rint(records["time"] * 1e6).astype(np.int64)),
            "item": array(per_item(records["item"], self._item_texts)),
            "run": array(self._runs(records)),
            "stage": self._named("stage", records["stage"], None),
            "event": self._named("event", records["kind"], None),
            "attempt": self._number(records["attempt"], records["attempt"] == 0),
            "worker": self._named("worker", records["worker"], NO_WORKER),
            "task": self._named("task", records["task"], NO_TASK),
            "duration": array(records["duration"], mask=np.isnan(records["duration"])),
            "error_type": array(types, self._arrow.string()),
            "error": array(messages, self._arrow.string()),
            "traceback": array(tracebacks, self._arrow.string()),
            "item_number": array(np.ascontiguousarray(records["item"])),
            "error_number": self._number(records["error"], none),
        }
        arrays = [columns[field.name].cast(field.type) for field in self.schema]
        return self._arrow.record_batch(arrays, schema=self.schema)

    def table(self, batches: Sequence[Any]) -> Any:
        """Batches as one table."""
        return self._arrow.Table.from_batches(batches, self.schema)

    def _named(self, column: str, indexes: Any, none: int | None) -> Any:
        names = self._arrow.array([*map(clean, self._names[column])], self._arrow.string())
        numbers = indexes.astype(np.int32)
        mask = None if none is None else indexes == none
        return self._arrow.DictionaryArray.from_arrays(self._arrow.array(numbers, mask=mask), names)

    def _number(self, numbers: Any, mask: Any) -> Any:
        return self._arrow.array(numbers.astype(np.int32), mask=mask)

    def _item_texts(self, items: Any) -> list[str]:
        return [clean(item_text(item_id)) for item_id in self._source.item_ids(items)]

    def _runs(self, records: Events) -> Any:
        if (records["stage"] == LARGEST_U2).any():
            return np.array(self._source.item_runs(records["item"]), np.int32)
        of_stage = np.array([stage.run for stage in self._source.stages], np.int32)
        return of_stage[records["stage"]]

    def _error_texts(self, records: Events) -> tuple[list[str | None], ...]:
        """Types, messages and tracebacks; of each error in these events the text is made once."""
        columns: tuple[list[str | None], ...] = tuple([None] * len(records) for _ in range(3))
        places = np.flatnonzero(records["error"] != NO_ERROR)
        different, found = np.unique(records["error"][places], return_inverse=True)
        texts = [*map(_texts, self._source.error_parts(different))]
        for place, at in zip(places.tolist(), found.tolist(), strict=True):
            for column, text in zip(columns, texts[at], strict=True):
                column[place] = text
        return columns


def _texts(error: ErrorParts) -> tuple[str, str, str]:
    return clean(error.type_name), clean(error.message), clean(filled_traceback(error))


def _groups(batches: Iterator[Any]) -> Iterator[list[Any]]:
    """Batches, some together."""
    group: list[Any] = []
    for batch in batches:
        group.append(batch)
        if len(group) == _GROUP_CHUNKS:
            yield group
            group = []
    if group:
        yield group
