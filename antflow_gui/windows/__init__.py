"""The main window, its docks and its dialogs.

- `main_window` what stands where, and what follows from each signal
- `run_page` the page of a script or a recorded run, filled at each tick
- `docks` the panels below it, and `panel_shares` how much room they have
- `status_line` the status bar
- `menus` the one list of commands, and the menus made from it
- `opening` files by dialog, drop, list or command line
- `recent` what the list of recent runs tells of one
- `run_notices` what the banner says of a run
- `preferences`, `settings_dialog` the settings, and what follows from each change
- `dialogs` arguments, keys, help, about, the question before closing
"""
