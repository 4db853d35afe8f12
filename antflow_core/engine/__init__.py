"""What runs a pipeline.

::

    run.py         one start-to-end: what is fed, what has ended, and the order in which it stops
    worker.py      the loop that takes items, performs tasks and hands on
    channel.py     what waits between two stages
    feeding.py     items from any iterable become entries of the first queue
    invoke.py      how a task is called: on the loop, in a thread, in an executor
    raised.py      what is written on an error a task raised
    retry.py       whether and when a failed attempt is followed by another
    limits.py      how many may do something at once, or per period
    statistics.py  the counters of a run as snapshots
    stream.py      results one by one, in completion order
    reporting.py   keeps a dashboard informed while a run lasts
"""
