"""What runs a pipeline.

::

    succession.py      a pipeline's runs, one after the other: which takes items now, when the next begins
    attendance.py      who follows them: the host's observer, a tracker, run files
    recordings.py      the run files: one that was asked for, and the process's
    displays.py        which dashboards are to be informed of a run
    reporting.py       keeps them informed while it lasts
    reading.py         what can be asked of a pipeline at any time
    statistics.py      the counters of a run as snapshots
    stream.py          results one by one, in completion order

One start-to-end::

    run.py             what is fed, what has ended, and the order in which it stops
    run_tasks.py       its asyncio tasks, workers and feeders
    feeding.py         items from any iterable become entries of a queue
    output.py          where its results go
    cancelling.py      how single entries end before their time
    failures.py        the entries that are failed, with what it takes to try them again
    rescuing.py        failed entries go again, and somebody waits for them
    continuing.py      a run that goes on where one has ended
    waits.py           what pauses before another attempt
    waiters.py         who waits for something to happen, and is woken
    traced.py          what it tells OpenTelemetry, if anybody listens

A stage within it::

    stage_run.py       its queue and the ways into it, its workers and its counters
    channel.py         what waits between two stages
    places.py          kept there for an entry while its callback is awaited
    crew.py            its workers: who is wanted, who works, who has yet to go
    limits.py          how many may do something at once, or per period
    retry.py           whether and when a failed attempt is followed by another
    noting.py          tells a tracker the values that come to stages

A worker::

    worker.py          the loop that takes items, performs tasks and hands on
    straight.py        the usual way of an item through a stage with one task, in few steps
    hand.py            what it has in hand, and the moments of that
    attempts.py        its calls of tasks, made again after failures
    worker_reports.py  what it tells the tracker and the stage's callbacks
    callers.py         what is part of a run outside its workers, and must not wait for it
    invoke.py          how a task is called: on the loop, in a thread, in an executor
    elsewhere.py       a task that runs off the loop, and how long the loop waits for it
    executors.py       how a task gets through its stage's executor
    carried.py         what an executor is given to run in a task's place
    raised.py          what is written on an error a task raised

What runs the single tasks of an `AsyncExecutor`::

    pool.py            its workers: begun when something waits for them, gone when nothing does
    work.py            what is to be done with a task's arguments, judged when it is submitted
    future.py          a task's outcome, and the waiting for one or many
    intake.py          items become tasks as there is room for them, results come in their order
    in_context.py      a coroutine awaited in a context of its own
"""
