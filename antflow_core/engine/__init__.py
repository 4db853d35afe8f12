"""What runs a pipeline.

::

    run.py         one start-to-end: what is fed, what has ended, and the order in which it stops
    worker.py      the loop that takes items, performs tasks and hands on
    crew.py        a stage's workers: who is wanted, who works, who has yet to go
    channel.py     what waits between two stages
    callers.py     whose status callbacks are being called outside the workers
    cancelling.py  how single entries end before their time
    failures.py    the entries that are failed, with what it takes to try them again
    rescuing.py    failed entries go again, and somebody waits for them
    continuing.py  a run that goes on where one has ended
    feeding.py     items from any iterable become entries of the first queue
    invoke.py      how a task is called: on the loop, in a thread, in an executor
    elsewhere.py   a task that runs off the loop, and how long the loop waits for it
    executors.py   how a task gets through its stage's executor
    carried.py     what an executor is given to run in a task's place
    noting.py      tells a tracker the values that come to stages
    traced.py      what a run tells OpenTelemetry, if anybody listens
    raised.py      what is written on an error a task raised
    retry.py       whether and when a failed attempt is followed by another
    waits.py       what pauses before another attempt
    limits.py      how many may do something at once, or per period
    statistics.py  the counters of a run as snapshots
    stream.py      results one by one, in completion order
    reporting.py   keeps a dashboard informed while a run lasts

What runs the single tasks of an `AsyncExecutor`::

    pool.py        its workers: begun when something waits for them, gone when nothing does
    work.py        what is to be done with a task's arguments, judged when it is submitted
    future.py      a task's outcome, and the waiting for one or many
    intake.py      items become tasks as there is room for them, results come in their order
    in_context.py  a coroutine awaited in a context of its own
"""
