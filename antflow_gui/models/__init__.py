"""What the views show, as Qt models and plain values: QtCore only, never a widget."""
