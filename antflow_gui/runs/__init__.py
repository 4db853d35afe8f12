"""A run as the app sees it.

- `controller` owns what is open: a script and its run, or a recorded run
- `options` are what the settings ask of each run
- `reading` reads a recorded run on the app's loop
- `outcomes` say how a run came out where it could not itself
- `progress` turns snapshots into figures
- `curves` turns recorded counts into rates over the whole run
- `ticker` sets the pace of all views
- `feed` joins a tracker's announcements into one batch a tick
"""
