"""Run files: what a log holds, in an SQLite database that is safe at any moment.

::

    database       its schema, and how one is made, judged and opened
    writer         puts batches into it, on a thread of its own
    checkpoints    from its -wal into the file itself, on another thread
    batch          what is new in a log, handed over at once
    tables         batches become rows
    reader         what is new in the file goes into a log
    items          items of such a log
    run_records    what a file tells beside the events
    stored_values  what of ids and metadata a file can hold
    file_lock      one recorder a file
"""
