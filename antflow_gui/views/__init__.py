"""The widgets a person looks at: header, stages, lists, panels; each is given plain values.

::

    welcome         the page before a file is open
    recent_row      a script or a recorded run on it
    banner          a message above the page

The run above, and its stages::

    header          what runs, how far it is, how fast, and the next act
    run_words       how a run is put into words
    recorded_words  and a recorded one
    flow            the stages side by side, and what holds them up
    stage_card      one stage
    worker_cells    its workers, a cell each
    sparkline       the recent curve of its rate
    queue_gauge     how full the queue to the next is

The events below::

    events          the panel: search, chips, table
    search_box      where a query is typed
    completion_list what may follow in it
    query_fault     what is wrong with it
    filter_chips    a filter for each status
    event_table, event_delegate, event_menu    the table, its cells, what can be done with a row

The other panels::

    item            one item: way, error, history
    item_way        its way through the stages, painted
    item_events     the table of its events
    item_values     what a recording holds of its values
    errors          groups of failures, and the items of one
    error_delegate  how a group is drawn
    console         what the script prints

What several of them are made of::

    status_icon, icon_label, status_count    a status as a shape, alone or with its count
    parts_bar       a bar with a part for each status
    column_widths   fits the columns of a table into the room there is
    text_cell, elided_label    texts that are cut and move nothing
    act_row         buttons that say it in fewer words where there is little room
    traceback_box   code and tracebacks
    empty_note      what a panel says that has nothing to show
    follow_tail     stays at the end while lines arrive
    row_choice      which row the user chose
"""
