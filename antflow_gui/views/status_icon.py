"""The small shapes that say a status without its colour, drawn as paths so that no font has to have them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPixmap

_GRID = 13.0
"""Side of the square that is shown, around `_CENTRE`: the shapes reach from 2 to 14."""
_CENTRE = 8.0


def _polyline(*points: tuple[float, float]) -> QPainterPath:
    path = QPainterPath(QPointF(*points[0]))
    for point in points[1:]:
        path.lineTo(QPointF(*point))
    return path


def _circle() -> QPainterPath:
    path = QPainterPath()
    path.addEllipse(QPointF(8, 8), 4.6, 4.6)
    return path


def _triangle() -> QPainterPath:
    path = _polyline((4, 2.8), (13.2, 8), (4, 13.2))
    path.closeSubpath()
    return path


def _tick() -> QPainterPath:
    return _polyline((3.2, 8.6), (6.4, 11.8), (12.9, 4.4))


def _cross() -> QPainterPath:
    path = _polyline((4, 4), (12, 12))
    path.addPath(_polyline((12, 4), (4, 12)))
    return path


def _circular_arrow() -> QPainterPath:
    path = QPainterPath()
    box = QRectF(3.4, 4.2, 9.2, 9.2)
    path.arcMoveTo(box, 0)
    path.arcTo(box, 0, -285)
    path.addPath(_polyline((7.0, 2.4), (9.5, 4.4), (7.2, 6.8)))
    return path


def _chevrons() -> QPainterPath:
    path = _polyline((3.4, 4.2), (7.2, 8), (3.4, 11.8))
    path.addPath(_polyline((8.4, 4.2), (12.2, 8), (8.4, 11.8)))
    return path


def _square() -> QPainterPath:
    path = QPainterPath()
    path.addRect(QRectF(3.2, 3.2, 9.6, 9.6))
    return path


def _bars() -> QPainterPath:
    path = QPainterPath()
    path.addRect(QRectF(3.6, 3.2, 3.2, 9.6))
    path.addRect(QRectF(9.2, 3.2, 3.2, 9.6))
    return path


def _warning() -> QPainterPath:
    path = _polyline((8, 2.6), (14, 13.2), (2, 13.2))
    path.closeSubpath()
    path.addPath(_polyline((8, 6.8), (8, 9.4)))
    path.addPath(_polyline((8, 11.3), (8, 11.4)))
    return path


def _info() -> QPainterPath:
    path = QPainterPath()
    path.addEllipse(QPointF(8, 8), 5.6, 5.6)
    path.addPath(_polyline((8, 7.6), (8, 10.8)))
    path.addPath(_polyline((8, 5.2), (8, 5.3)))
    return path


_SHAPES: dict[str, Callable[[], QPainterPath]] = {
    "queued": _circle,
    "in_progress": _triangle,
    "completed": _tick,
    "failed": _cross,
    "retrying": _circular_arrow,
    "skipped": _chevrons,
    "stopped": _square,
    "paused": _bars,
    "warning": _warning,
    "info": _info,
}
_FILLED = frozenset({"in_progress", "stopped", "paused"})
_STROKE_WIDTH = 1.7


@cache
def _path_of(status: str) -> QPainterPath:
    return _SHAPES.get(status, _circle)()


def paint_status_icon(painter: QPainter, rect: QRectF, status: str, color: QColor) -> None:
    """Draw an icon as large as fits: of a status, or ``stopped``, ``paused``, ``warning`` or ``info``."""
    side = min(rect.width(), rect.height())
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(rect.center())
    painter.scale(side / _GRID, side / _GRID)
    painter.translate(-_CENTRE, -_CENTRE)
    if status in _FILLED:
        painter.fillPath(_path_of(status), color)
    else:
        painter.strokePath(_path_of(status), _pen(color))
    painter.restore()


def _pen(color: QColor) -> QPen:
    return QPen(
        color,
        _STROKE_WIDTH,
        Qt.PenStyle.SolidLine,
        Qt.PenCapStyle.RoundCap,
        Qt.PenJoinStyle.RoundJoin,
    )


def status_pixmap(status: str, size_px: int, color: QColor, device_pixel_ratio: float) -> QPixmap:
    """The icon of a status on a transparent square of `size_px` logical pixels."""
    side = round(size_px * device_pixel_ratio)
    pixmap = QPixmap(side, side)
    pixmap.setDevicePixelRatio(device_pixel_ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    paint_status_icon(painter, QRectF(0, 0, size_px, size_px), status, color)
    painter.end()
    return pixmap
