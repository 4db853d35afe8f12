"""The packed event log: every event of every run in 32 bytes, and what it answers by itself.

::

    event_log       the log: records in order, with the dictionaries beside them
    records         what one event is: the packed record, and the plain values that readers get
    storage         the chunks of memory that records lie in
    steps           the events that always come together, written the quick way
    dictionaries    names and items, each given an index when first seen
    endings         items that are called failed and were only ended
    errors          exceptions: type, message and traceback each stored once
    tracebacks      what is kept of an exception's traceback
    announcer       tells subscribers of new rows
    mirror          a log that copies what another is told
    dropping        what leaves with the oldest chunk of a limited log
    answers         events as the public types
    figures         what a run comes to: stages, rates, percentiles, errors grouped
    standing        a pipeline's counts as it would tell them itself
    narrow_columns  fields of full chunks as searches read them
    item_texts      finding items by the text of their ids
    text_index      finding a text among millions of short ones
    text_columns    some thousands of them laid out for numpy
    text_pattern    what a text has to look like
"""
