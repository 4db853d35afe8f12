"""The plots over time, each a pyqtgraph view in a card.

- `throughput` items a second of each stage
- `curve_axes` time below, round numbers at the left
- `legend` the names of the curves
"""
