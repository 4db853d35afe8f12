"""A run as the app sees it.

- `controller` owns the open script and its run
- `progress` turns snapshots into figures
- `ticker` sets the pace of all views
- `feed` joins a tracker's announcements into one batch a tick
"""
