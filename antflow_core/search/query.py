r"""The query language, from text to a tree of terms; one for the app, the command line and the library.

::

    timeout "two words"        text anywhere in item, stage, worker, task or error, ignoring case
    status:failed,retrying     status events of one of these statuses
    event:retry                task events of this kind
    stage:Fetch worker:Fetch-* stage, worker and task by name, ignoring case; * stands for any text
    item:user-4*               items by their id as text, in its case; * stands for any text
    error:timeout              events whose error has this text in its type or message, ignoring case
    error_type:Timeout*        events with an error by the name of its type, ignoring case
    item:/ord-\d+/             for names, ids and errors also a regular expression, found anywhere in the text
    attempt:>=2 run:1..3       numbers: compared, between two (both included), or exactly
    duration:>1.5s             durations: us, ms, s, m, h, d; in single precision, as they are recorded
    after:12:30 before:90s     from or until a moment: a time of day, a date, or a time since the start
    last:5m                    not older than this, counted back from the newest event

    a b          both (also: a AND b)
    a OR b       at least one of the two; AND binds closer
    -a  NOT a    all but these
    (a OR b) c   parentheses first

Several values with commas between mean any of them. A word that contains ``://`` is text, unless that stands
in a field's quotes. In quotes every character stands for itself, except ``\"`` for a quote and ``\\`` for a
backslash. The help page `search.md` tells the same to users.
"""

from __future__ import annotations

from antflow_core.search.fields import FIELDS, Field, quote, unquote
from antflow_core.search.tree import AllOf, Node

__all__ = ["FIELDS", "Field", "parse", "quote", "unquote"]


def parse(query: str) -> Node:
    """The tree of a query; for a blank one `AllOf` without parts, which is every event.

    Raises:
        QueryError: The query is faulty; the error says where, and what was probably meant.
        TypeError: It is no text.
    """
    given: object = query
    if not isinstance(given, str):
        raise TypeError(f"a query must be text, got {given!r}; an empty one finds every event")
    if not query or query.isspace():
        return AllOf((), 0, len(query))
    # Late, because lark takes a tenth of a second, and a blank query, the first of every view, needs none.
    from antflow_core.search.grammar import parse_tree

    return parse_tree(query)
