"""What the views show, as Qt models and plain values: QtCore only, never a widget.

- `events` the rows that a query finds in the log, a page at a time
- `errors` failures grouped by type and stage
- `item_history` one item: its way through the stages, its last error
- `item_events` the rows of its history
- `query_text` the terms of a query, so that a click and typing are the same filter
- `script_text` texts that come from scripts, made fit for one line or a tool tip
- `completions` what may follow in the search box
- `console_text` what a program wrote, as plain lines
"""
