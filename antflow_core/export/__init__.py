"""Events out of a run file and back: JSON lines, CSV, Parquet, SQLite, and SQL asked of the file itself.

::

    targets        a file of events, whole or not at all; the format by its suffix
    source         what is exported: a log in memory
    file_source    the same from a run file, a chunk at a time, so that memory stays as it is
    plain_values   moments, durations and ids as text, and back
    event_lines    events as lines of JSON or CSV
    json_lines     a file of JSON lines with a header, which can be opened again
    json_reader    the opening of one
    parquet        columns for data frames
    sqlite         tables for any tool that reads SQLite
    event_tables   the names and columns of these tables, and of those that SQL is asked of
    sql            SQL over a run file, by DuckDB
    optional       the sentence about a package that is missing
"""
