"""What a recording is told as in a terminal: tables of figures, of events and of differences.

::

    screen.py      where it goes: a terminal with colours, or plain lines for a pipe
    recording.py   what was run, where and when, and how it ended
    summary.py     a run as a whole: stages, rates, percentiles, errors grouped
    errors.py      failures grouped, each group with a traceback
    events.py      events one by one; the story of one item
    comparison.py  what changed between two runs
    answers.py     what a question in SQL gave
"""
