"""Searching a log: one query language for the app, the command line and the library.

::

    result          the rows a query finds, kept up to date by looking at new rows only
    query           from text to a tree of terms
    tokens          the smallest parts of a query
    grammar         how they combine
    fields          what a query may name
    values          what stands behind a field
    tree            terms, and how they are combined
    mistakes        what is said about a faulty query
    doubts          what one that finds nothing may have been meant to say
    conditions      terms as conditions over one log
    compiler        from the tree to what finds its events in blocks of records
    blocks          the records that are looked at together
    classes         what records are told apart by: which conditions they fulfil
    columns         the columns that name entries of dictionaries
    sparse_columns  those of which most chunks are passed over: items and errors
    intervals       the columns of numbers
    masks           a query over columns
    row_set         the rows found, a bit each
    completion      what may follow in a query that is being typed
    tallies         how often each value occurs
    questions       what a tracker and a recorded run are both asked
"""
