"""The plots over time, each a pyqtgraph view in a card."""
