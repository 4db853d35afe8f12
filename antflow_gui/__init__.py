"""The desktop app: opens a pipeline script, runs it on a Qt event loop, shows what happens and what happened.

- `app` composition root: QApplication, loop, context, ordered shutdown; `__main__` runs it
- `command_line` the app's arguments
- `file_kinds` which files are recorded runs
- `displays` whether a window can be shown
- `context` what every part may use
- `event_loop` asyncio on Qt's loop with a batched ready queue
- `vector_registers` what Qt's painting leaves behind in the processor
- `collecting` when Python's garbage is collected
- `loop_monitor` how late the loop is, and which task held it
- `faults` unhandled errors of any kind, in one place
- `quit_signals` Ctrl+C and SIGTERM while Qt sleeps
- `system_libraries` whether Qt's system libraries load, and which packages bring them
- `settings` what is remembered between starts
- `theme`, `style_sheet` colours, fonts, the style of every widget
- `resources` where the icons are
- `runs` what is open: a script with its run, or a recorded run; pace and figures
- `models` events, errors and items, without widgets
- `actions` one list of commands
- `plots` throughput
- `views` header, stage cards, events, item, errors, console, welcome
- `windows` main window, panels, menus, opening of files, dialogs
"""
