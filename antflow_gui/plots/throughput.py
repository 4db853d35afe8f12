"""Items a second of each stage, over the last minute or over a whole run that is recorded."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy
import pyqtgraph
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from antflow_gui.plots.curve_axes import elapsed_ticks, span_for, time_ticks, value_step, value_ticks
from antflow_gui.plots.legend import CurveLegend
from antflow_gui.theme import Theme, set_kind, ui_font
from antflow_gui.views.text_cell import TextCell

_KEPT_S = 60.0
_EMPTY = "The throughput of each stage is drawn here while a run goes on"
_NONE_RECORDED = "No throughput was recorded"
_SHRINK_SHARE = 0.4
"""The value axis grows at once, and shrinks only when the curves use less than this share of it."""
_HEADROOM = 1.06
_LEAST_SPAN_S = 1e-3
_TIMES_HEIGHT, _TICK_HEIGHT = 20, 18


class ThroughputPlot(QFrame):
    """A card with one curve a stage, "now" at the right; the axes move only in steps, and never by the mouse.

    Of a recorded run it shows all of it, from its start to its end.

    Args:
        theme: Where the colours come from.
    """

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._names: tuple[str, ...] = ()
        self._samples: deque[tuple[float, tuple[float, ...]]] = deque()
        self._curves: list[_Curve] = []
        self._span_s = -1.0
        self._top = self._step = 0.0
        self._ground = QRectF()  # what the axes cover
        self._times_s = -1.0, 0.0  # the ends of the time axis
        self._time_labels: list[tuple[float, str]] = []
        self.legend = CurveLegend(theme)
        # Put together by hand: a PlotItem comes with seven menus that nobody owns and nothing here opens.
        self.plot = pyqtgraph.GraphicsLayoutWidget()
        self._view = pyqtgraph.ViewBox(enableMenu=False)
        self._values, self._times = pyqtgraph.AxisItem("left"), pyqtgraph.AxisItem("bottom")
        self.empty_label = QLabel(_EMPTY, self.plot)
        self._set_up_plot()
        self._lay_out()
        theme.changed.connect(self._follow_theme)
        self.clear()
        self._follow_theme()

    @property
    def samples(self) -> int:
        """How many samples it holds."""
        return len(self._samples)

    @property
    def span_s(self) -> float:
        """Seconds the time axis covers."""
        return self._span_s

    @property
    def top(self) -> float:
        """The upper end of the value axis."""
        return self._top

    @property
    def time_labels(self) -> list[tuple[float, str]]:
        """What the time axis is labelled with: places and words."""
        return list(self._time_labels)

    def set_stages(self, names: Sequence[str]) -> None:
        """Draw a curve for each of these stages, in their order and colours; what was drawn is forgotten."""
        for curve in self._curves:
            self._view.removeItem(curve)
        self._names = tuple(names)
        self._curves = [_Curve(self._ground) for _ in names]
        for curve in self._curves:
            self._view.addItem(curve, ignoreBounds=True)
        self._color_curves()
        self.clear()

    def append(self, elapsed_s: float, rates: Sequence[float | None]) -> None:
        """Add the newest rates.

        Args:
            elapsed_s: Seconds since the run began; never less than the time before.
            rates: One a stage, items a second; None where there is none yet.
        """
        if all(rate is None for rate in rates):
            return
        self._samples.append((elapsed_s, tuple(numpy.nan if rate is None else rate for rate in rates)))
        # One sample from before the window stays, so that the curves reach its left edge.
        while len(self._samples) > 2 and elapsed_s - self._samples[1][0] > _KEPT_S:
            self._samples.popleft()
        self.empty_label.hide()
        self._draw()

    def show_whole(
        self, times_s: NDArray[numpy.float64], rates: NDArray[numpy.float64], began_s: float, ended_s: float
    ) -> None:
        """Draw a whole run in the place of the samples.

        Args:
            times_s: Seconds since the start of the recording, in order.
            rates: Items a second, a row a stage, a column a time.
            began_s: The left end of the time axis.
            ended_s: The right end.
        """
        self._samples.clear()
        for curve, values in zip(self._curves, rates, strict=True):
            curve.setData(times_s, values)
        self._span_s = -1.0
        self._set_times(began_s, max(ended_s, began_s + _LEAST_SPAN_S), elapsed_ticks(began_s, ended_s))
        self._set_top(float(rates.max(initial=0.0)) * _HEADROOM)
        self.empty_label.hide()

    def set_recorded(self, recorded: bool) -> None:
        """Say what is to be expected while nothing is here: of a recording that was read, nothing at all."""
        self.empty_label.setText(_NONE_RECORDED if recorded else _EMPTY)

    def clear(self) -> None:
        """Forget the samples; the stages stay."""
        self._samples.clear()
        for curve in self._curves:
            curve.setData([], [])
        self._set_span(0.0)
        self._set_top(0.0)
        self.empty_label.show()

    def _draw(self) -> None:
        table = numpy.array([values for _, values in self._samples])
        times = numpy.array([at for at, _ in self._samples])
        before_now = times - times[-1]
        for curve, values in zip(self._curves, table.T, strict=True):
            curve.setData(before_now, values)
        self._set_span(span_for(float(times[-1])))
        self._fit_top(float(numpy.nanmax(table)))

    def _set_span(self, span_s: float) -> None:
        """Let the time axis cover these seconds before now; zero, for no samples, leaves it unlabelled."""
        if span_s != self._span_s:
            self._span_s = span_s
            self._set_times(-span_s or -1.0, 0.0, time_ticks(span_s) if span_s else [])

    def _set_times(self, begin_s: float, end_s: float, labels: list[tuple[float, str]]) -> None:
        """Let the time axis reach from one moment to another."""
        self._times_s, self._time_labels = (begin_s, end_s), labels
        self._fit_curves()
        self._view.setXRange(begin_s, end_s, padding=0)
        self._times.setTicks([labels])

    def _fit_top(self, highest: float) -> None:
        wanted = highest * _HEADROOM
        if wanted > self._top or wanted < self._top * _SHRINK_SHARE:
            self._set_top(wanted)

    def _set_top(self, wanted: float) -> None:
        """Let the value axis end at the first half step above `wanted`; without rates it is unlabelled."""
        step = value_step(wanted) if wanted > 0 else 1.0
        self._top = step * max(1.0, numpy.ceil(wanted / step * 2) / 2)
        self._fit_curves()
        self._view.setYRange(0.0, self._top, padding=0)
        self._step = step if wanted > 0 else 0.0
        self._label_values()

    def _label_values(self) -> None:
        """Label the value axis with as many numbers as stand clear of each other."""
        most = max(1, (self.plot.height() - _TIMES_HEIGHT) // _TICK_HEIGHT)
        self._values.setTicks([value_ticks(self._step, self._top, most) if self._step else []])

    def _fit_curves(self) -> None:
        """Tell the curves what the axes cover."""
        for curve in self._curves:
            curve.prepareGeometryChange()
        begin_s, end_s = self._times_s
        self._ground.setCoords(begin_s, 0.0, end_s, self._top)

    def _set_up_plot(self) -> None:
        plot, view = self.plot, self._view
        view.setMouseEnabled(x=False, y=False)
        view.disableAutoRange()
        plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        plot.setFrameShape(QFrame.Shape.NoFrame)
        plot.setAccessibleName("Throughput of each stage in items a second")
        # Room for half of the outermost labels, which stand at the very ends of the axes.
        plot.ci.setContentsMargins(0, 8, 16, 0)
        plot.ci.setSpacing(0)
        plot.addItem(self._values, 0, 0)
        plot.addItem(view, 0, 1)
        plot.addItem(self._times, 1, 1)
        for axis in (self._values, self._times):
            axis.linkToView(view)
            axis.setStyle(
                tickFont=ui_font(11),
                tickLength=0,
                tickAlpha=0,
                tickTextOffset=6,
                hideOverlappingLabels=False,
            )
            axis.setPen(None)
        self._values.setWidth(44)
        self._times.setHeight(_TIMES_HEIGHT)
        set_kind(self.empty_label, "secondary")
        self.empty_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty_label.setWordWrap(True)

    def _lay_out(self) -> None:
        set_kind(self, "card")
        title = TextCell(self._theme, ui_font(13, 600))
        title.set_text("Throughput")
        title.reserve("Throughput")
        unit = TextCell(self._theme, ui_font(12), "text_secondary")
        unit.set_text("items/s")
        unit.reserve("items/s")
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        line.addWidget(title)
        line.addWidget(unit)
        line.addSpacing(12)
        line.addWidget(self.legend, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(13, 9, 13, 7)
        column.setSpacing(4)
        column.addLayout(line)
        column.addWidget(self.plot, 1)
        self.setMinimumHeight(120)

    @Slot()
    def _follow_theme(self) -> None:
        self.plot.setBackground(self._theme.color("surface"))
        for axis in (self._values, self._times):
            axis.setTextPen(self._theme.color("text_tertiary"))
        self._color_curves()
        self.update()

    def _color_curves(self) -> None:
        colors = [self._theme.stage_color(index) for index in range(len(self._names))]
        for curve, color in zip(self._curves, colors, strict=True):
            curve.setPen(pyqtgraph.mkPen(color, width=1))
        self.legend.set_entries(list(zip(self._names, colors, strict=True)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.empty_label.setGeometry(self.plot.rect())
        self._label_values()


class _Curve(pyqtgraph.PlotCurveItem):  # type: ignore[misc]  # pyqtgraph has no types
    """A curve for which Qt need not know where in its plot it lies.

    pyqtgraph looks for the bounds of all samples at each paint, which for fifty curves takes longer than to
    paint them.

    Args:
        ground: What the axes cover; it changes with them.
    """

    def __init__(self, ground: QRectF) -> None:
        self._ground = ground
        super().__init__(connect="finite", antialias=True)

    def boundingRect(self) -> QRectF:
        return self._ground
