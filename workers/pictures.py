"""Draws a Picture (commands/picture.py) as a PNG. The only importer of matplotlib, and only once something is drawn,
so a worker that draws nothing stays small.

Every text goes through `redact`; nothing is fetched, kept or sent. What cannot be drawn is None and never an
exception: a graph must not cost the answer it goes with. Called by workers/keeping.py.
"""

import logging
import math
from collections.abc import Callable
from functools import cache
from io import BytesIO
from threading import Lock
from typing import Any
from zoneinfo import ZoneInfo

from commands.phrase import shortly
from commands.picture import Curve, Picture
from commands.wording import middle_cut

log = logging.getLogger(__name__)

_NAME = 30  # characters of a curve where two stand side by side
CURVES = 8  # more cannot be told apart by colour
_DPI = 125
_INCHES = (8.0, 4.8)  # 1000 x 600 pixels: a phone shows it whole, a third as wide, so letters are large
_TITLE, _TEXT = 16.0, 13.0  # points
_FEW = 12  # points of a curve that are dots as well
_DAY = 86_400.0  # matplotlib counts time in days since 1970
_HUGE = 1e18  # beyond it nothing is measured, and ticks lose their digits
# Told apart by people who do not see red from green, and on white; red is kept for the threshold (Okabe and Ito).
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#5d4a99", "#8c6d31", "#4d4d4d")
_INK, _FAINT, _RED = "#1d1c1d", "#5f6368", "#c4302b"

# Matplotlib's font cache and its renderer are shared by all threads and guarded by none.
_LOCK = Lock()

Scale = tuple[float, str]
_SCALES: dict[str, tuple[Scale, ...]] = {
    "bytes": ((2.0**40, " TiB"), (2.0**30, " GiB"), (2.0**20, " MiB"), (2.0**10, " KiB"), (1.0, " B")),
    "seconds": ((_DAY, " d"), (3600.0, " h"), (60.0, " min"), (1.0, " s"), (1e-3, " ms"), (1e-6, " µs")),
    "cores": ((1.0, " cores"), (1e-3, "m")),
    "ratio": ((0.01, " %"),),
    "": ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")),
}  # fmt: skip


class Painter:
    """zone: the times that people of this site read."""

    def __init__(self, redact: Callable[[str], str], zone: ZoneInfo) -> None:
        self._redact = redact
        self._zone = zone

    def draw(self, picture: Picture) -> bytes | None:
        """The PNG, or None where there is nothing to draw."""
        curves = _drawable(picture)
        if not curves:
            return None
        try:
            with _LOCK:
                return self._png(picture, curves)
        except (ArithmeticError, RuntimeError, TypeError, ValueError):
            log.exception("a graph cannot be drawn: %s", self._redact(picture.title))
            return None

    def _png(self, picture: Picture, curves: list[Curve]) -> bytes:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=_INCHES, dpi=_DPI, facecolor="white")
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((0.1, 0.1, 0.87, 0.72))
        scale = _scale(picture, curves)
        is_step = _is_yes_or_no(picture, curves)
        shown = [
            self._curve(axes, curve, scale, n, is_step=is_step) for n, curve in enumerate(curves[:CURVES])
        ]
        self._level(axes, picture, scale)
        self._onset(axes, picture)
        self._dress(axes, picture, curves, scale)
        legend = self._legend(figure, shown)
        _make_room(figure, canvas, axes, legend)
        out = BytesIO()
        canvas.print_png(out)  # type: ignore[no-untyped-call]
        return out.getvalue()

    def _said(self, text: str, limit: int) -> str:
        """Redacted, on one line, and of letters that the font has."""
        flat = " ".join(self._redact(text).split())
        known = _letters()
        return middle_cut("".join(c if ord(c) in known else "□" for c in shortly(flat)), limit)

    def _curve(self, axes: Any, curve: Curve, scale: Scale, n: int, *, is_step: bool) -> tuple[Any, str]:
        days = [at / _DAY for at, _ in curve.points]
        values = [value / scale[0] for _, value in curve.points]
        dot = "o" if len(days) != 2 and len(days) <= _FEW else ""
        style = "steps-post" if is_step else "default"
        (line,) = axes.plot(
            days, values, color=_COLOURS[n], linewidth=2.4, marker=dot, markersize=7, drawstyle=style
        )
        return line, self._said(curve.label, 62)

    def _level(self, axes: Any, picture: Picture, scale: Scale) -> None:
        level = picture.threshold
        if level is None or not _is_sane(level):
            return
        axes.axhline(level / scale[0], color=_RED, linewidth=1.8, linestyle=(0, (5, 3)))
        said = self._said(f"threshold {picture.threshold_text}".strip(), 50)
        value = _told(level / scale[0], scale)
        axes.annotate(
            f"{said} ({value})" if value.strip() not in said else said,
            (0, level / scale[0]), (6, 3), xycoords=("axes fraction", "data"), textcoords="offset points",
            ha="left", va="bottom", color=_RED, fontsize=_TEXT, parse_math=False, bbox=_HALO,
        )  # fmt: skip

    def _onset(self, axes: Any, picture: Picture) -> None:
        if picture.onset is None or not picture.start <= picture.onset <= picture.end:
            return
        at = picture.onset.timestamp() / _DAY
        axes.axvline(at, color=_INK, linewidth=1.6, linestyle=(0, (2, 2)))
        length = (picture.end - picture.start).total_seconds() or 1
        is_late = (picture.onset - picture.start).total_seconds() / length > 0.8
        axes.annotate(
            f"began {picture.onset.astimezone(self._zone):%H:%M}",
            (at, 1), (-4 if is_late else 4, -4), xycoords=("data", "axes fraction"), textcoords="offset points",
            ha="right" if is_late else "left", va="top", color=_INK, fontsize=_TEXT, parse_math=False, bbox=_HALO,
        )  # fmt: skip

    def _dress(self, axes: Any, picture: Picture, curves: list[Curve], scale: Scale) -> None:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        axes.set_title(
            self._said(picture.title, 60), loc="left", fontsize=_TITLE, fontweight="bold", color=_INK, pad=30,
            parse_math=False,
        )  # fmt: skip
        left_out = f"{len(curves) - CURVES} more curves are not drawn" if len(curves) > CURVES else ""
        begun, ended = (at.astimezone(self._zone) for at in (picture.start, picture.end))
        day = f"{begun:%d %b %H:%M} to {ended:%H:%M}" if begun.date() == ended.date() else (
            f"{begun:%d %b %H:%M} to {ended:%d %b %H:%M}"
        )  # fmt: skip
        told = " · ".join(filter(None, (f"{day}, {ended:%Z}", left_out, self._said(picture.note, 60))))
        axes.annotate(
            told, (0, 1), (0, 7), xycoords="axes fraction", textcoords="offset points", fontsize=_TEXT - 1,
            color=_FAINT, parse_math=False,
        )  # fmt: skip
        locator = AutoDateLocator(tz=self._zone, maxticks=6)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        dates = ConciseDateFormatter(locator, tz=self._zone, show_offset=False)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(dates)
        axes.set_xlim(*_span(picture, curves))
        axes.yaxis.set_major_locator(
            MaxNLocator(1 if _is_yes_or_no(picture, curves) else 5, steps=(1, 2, 2.5, 5, 10))
        )
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _told(value, scale)))
        axes.set_ylim(*_heights(picture, curves, scale))
        axes.grid(axis="y", color="#e3e5e8", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=_FAINT, labelsize=_TEXT, length=4)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color("#b5b9be")

    def _legend(self, figure: Any, shown: list[tuple[Any, str]]) -> Any:
        columns = (
            1 if len(shown) == 1 or (max(len(said) for _, said in shown) > _NAME and len(shown) < 4) else 2
        )
        legend = figure.legend(
            [line for line, _ in shown], [said if columns == 1 else middle_cut(said, _NAME) for _, said in shown],
            loc="lower left", bbox_to_anchor=(0.005, 0.0), ncols=columns, frameon=False, fontsize=_TEXT,
            labelcolor=_INK, handlelength=1.4, columnspacing=1.5,
        )  # fmt: skip
        for text in legend.get_texts():
            text.set_parse_math(False)
        return legend


_HALO = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.0}


def _drawable(picture: Picture) -> list[Curve]:
    """Curves with the points that can be drawn, those that reach highest first where there are too many."""
    cleaned = [
        Curve(
            curve.label, tuple((at, value) for at, value in curve.points if _is_sane(at) and _is_sane(value))
        )
        for curve in picture.curves
    ]
    curves = [curve for curve in cleaned if curve.points]
    if len(curves) > CURVES:
        curves.sort(key=lambda curve: -max(abs(value) for _, value in curve.points))
    return curves


def _is_yes_or_no(picture: Picture, curves: list[Curve]) -> bool:
    """A condition holds or does not: between two readings it was the one or the other, and nothing in between."""
    return not picture.unit and {value for curve in curves for _, value in curve.points} <= {0.0, 1.0}


def _is_sane(number: float) -> bool:
    return math.isfinite(number) and abs(number) <= _HUGE


def _scale(picture: Picture, curves: list[Curve]) -> Scale:
    """What values are divided by, and the unit that is said behind them."""
    scales = _SCALES.get(picture.unit, _SCALES[""])
    top = max(abs(value) for curve in curves for _, value in curve.points)
    if picture.threshold is not None and _is_sane(picture.threshold):
        top = max(top, abs(picture.threshold))
    return next((scale for scale in scales if top >= scale[0]), scales[-1])


def _told(value: float, scale: Scale) -> str:
    return f"{value:.3g}{scale[1]}" if abs(value) < 1000 else f"{value:,.0f}{scale[1]}"


def _span(picture: Picture, curves: list[Curve]) -> tuple[float, float]:
    start, end = picture.start.timestamp() / _DAY, picture.end.timestamp() / _DAY
    return (start, end) if end > start else (start - 1 / 48, start + 1 / 48)


def _heights(picture: Picture, curves: list[Curve], scale: Scale) -> tuple[float, float]:
    """From zero, unless all that matters lies far above it; with room for what is written over the top."""
    values = [value / scale[0] for curve in curves[:CURVES] for _, value in curve.points]
    if picture.threshold is not None and _is_sane(picture.threshold):
        values.append(picture.threshold / scale[0])
    low, high = min(values), max(values)
    if (low > 0 and high - low > 0.2 * high) or (low >= 0 and high == low):
        low = 0.0
    room = (high - low) or abs(high) or 1.0
    return (low if low == 0 else low - 0.06 * room), high + 0.14 * room


def _make_room(figure: Any, canvas: Any, axes: Any, legend: Any) -> None:
    """The axes take what the legend and the labels leave: curves are never drawn over."""
    renderer = canvas.get_renderer()
    width, height = figure.bbox.width, figure.bbox.height
    below = legend.get_window_extent(renderer).height / height
    labels = [tick.get_window_extent(renderer).width for tick in axes.get_yticklabels()]
    left = (max(labels, default=0.0) + 30) / width
    bottom = below + 0.085
    axes.set_position((left, bottom, 0.96 - left, 0.835 - bottom))


@cache
def _letters() -> frozenset[int]:
    """The characters of the one font that comes with the library; others would be drawn as nothing, with a warning."""
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())
