"""What a recording is told as in a terminal: tables of figures, of events and of differences.

::

    screen.py      where it goes: a terminal with colours, or plain lines for a pipe
    summary.py     a run as a whole: stages, rates, percentiles, errors grouped
    events.py      events one by one: as a table, as JSON lines, as CSV; the story of one item
    comparison.py  what changed between two runs
"""
