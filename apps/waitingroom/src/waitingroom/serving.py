"""
Moving the line forward, once a second: how many order can bear, what is left to sell, and the
number up to which people are served. One worker moves it; a second one standing by does nothing.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import CursorResult, update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import transaction
from chassis.peers import PeerUnavailable
from waitingroom import queries
from waitingroom.calls import CallWatch
from waitingroom.clients.order import OrderClient
from waitingroom.inlet import Calls, Pressure, Stock, next_pace, next_serving
from waitingroom.models import Inlet, WaitingWindow, db
from waitingroom.operations import fix_early_places, kept_seconds
from waitingroom.parts import Parts
from waitingroom.pressure import Durations, pressure_between
from waitingroom.stock import StockWatch
from waitingroom.window import OPEN, Window

_log = logging.getLogger(__name__)


class PressureWatch:
    """Order's measurements of the last round, to compare the next with."""

    def __init__(self, order: OrderClient) -> None:
        self._order = order
        self._last: tuple[datetime, dict[str, Durations]] | None = None

    def pressure(self, now: datetime) -> Pressure | None:
        """None where order does not answer, or was not read twice yet."""
        last, readings = self._last, self._order.durations()
        self._last = (now, readings)
        if last is None:
            return None
        elapsed_seconds = (now - last[0]).total_seconds()
        return pressure_between(last[1], readings, elapsed_seconds=elapsed_seconds)


@dataclass(frozen=True)
class Line:
    """One open window with the last number of its line."""

    window: Window
    tail: int
    calls: Calls

    @property
    def is_anybody_waiting(self) -> bool:
        return self.tail > self.window.serving

    def is_bound_by(self, pace: float, stock: Stock | None) -> bool:
        """Whether a faster pace would let more people in: there are some, and something is free."""
        return self.is_anybody_waiting and (stock is None or stock.calls_left(self.calls) >= pace)


@dataclass(frozen=True)
class Watches:
    """What one worker remembers from round to round."""

    pressure: PressureWatch
    stock: StockWatch
    calls: CallWatch


def move_lines(*, parts: Parts, watches: Watches, now: datetime) -> int:
    """One round: let people in. It always rests afterwards, so it gives 0."""
    pressure = watches.pressure.pressure(now)
    lines = [_line(parts, watches.calls, window, now) for window in _hot_windows(parts, now)]
    stocks = [_stock(watches.stock, line.window) for line in lines]
    round_ = _begin_round(parts, lines, stocks, pressure, now)
    if round_ is None:
        return 0
    pace, elapsed_seconds = round_
    wanting = [line for line in lines if line.is_anybody_waiting and line.window.stock == OPEN]
    share = pace / max(len(wanting), 1)
    for line, stock in zip(lines, stocks, strict=True):
        _move(parts, line, stock, pace=share, elapsed_seconds=elapsed_seconds, now=now)
    parts.windows.forget()
    return 0


def _hot_windows(parts: Parts, now: datetime) -> list[Window]:
    hot_seconds_max = parts.settings.hot_seconds_max
    windows = [
        window
        for window in queries.windows_closing_after(now)
        if not window.is_before(now) and window.is_hot(now, hot_seconds_max=hot_seconds_max)
    ]
    return [fix_early_places(parts=parts, window=window) for window in windows]


def _line(parts: Parts, watch: CallWatch, window: Window, now: datetime) -> Line:
    """Where Redis does not know the last number, the last one reserved is the safe answer."""
    last = parts.numbers.last_number(window.window_id)
    late = window.numbers_reserved if last is None else last
    calls = watch.calls(window, parts.comers, now)
    return Line(window, (window.early_places or 0) + late, calls)


def _stock(stock_watch: StockWatch, window: Window) -> Stock | None:
    try:
        return stock_watch.stock_of(window)
    except PeerUnavailable as silence:
        _log.warning("what is left of %s is not known: %s", window.window_id, silence)
        return None


def _begin_round(
    parts: Parts,
    lines: list[Line],
    stocks: list[Stock | None],
    pressure: Pressure | None,
    now: datetime,
) -> tuple[float, float] | None:
    """
    Set the pace; None where another worker did so meanwhile. It rises only while people wait and
    enough is left that the pace, not the stock, bounds them: otherwise order's ease proves nothing.
    """
    known = queries.inlet()
    if known is None:
        _first_round(parts.settings.pace_start, now)
        return None
    pace, ticked_at = known
    elapsed_seconds = (now - ticked_at).total_seconds()
    pace = next_pace(
        pace,
        pressure=pressure,
        is_anybody_waiting=any(
            line.is_bound_by(pace, stock) for line, stock in zip(lines, stocks, strict=True)
        ),
        elapsed_seconds=elapsed_seconds,
        bounds=parts.settings.bounds,
    )
    with transaction(db) as session:
        moved = cast(
            "CursorResult[None]",
            session.execute(
                update(Inlet)
                .where(Inlet.ticked_at == ticked_at, Inlet.ticked_at < now)
                .values(people_per_second=pace, ticked_at=now)
            ),
        )
    return (pace, elapsed_seconds) if moved.rowcount == 1 else None


def _first_round(pace: float, now: datetime) -> None:
    with transaction(db) as session:
        values = {"inlet_id": 1, "people_per_second": pace, "ticked_at": now}
        session.execute(insert(Inlet).values(values).on_conflict_do_nothing())


def _move(
    parts: Parts,
    line: Line,
    stock: Stock | None,
    *,
    pace: float,
    elapsed_seconds: float,
    now: datetime,
) -> None:
    """Never backwards: the row is changed only as it was seen."""
    window = line.window
    serving = next_serving(
        window.serving,
        tail=line.tail,
        pace=pace,
        elapsed_seconds=elapsed_seconds,
        stock=stock,
        calls=line.calls,
    )
    calm_since = None if line.is_anybody_waiting else window.calm_since or now
    calm_seconds = timedelta(seconds=parts.settings.calm_seconds)
    is_calm = calm_since is not None and now - calm_since >= calm_seconds
    with transaction(db) as session:
        session.execute(
            update(WaitingWindow)
            .where(WaitingWindow.window_id == window.window_id)
            .where(WaitingWindow.serving <= serving)
            .values(
                serving=serving,
                stock=window.stock if stock is None else stock.state,
                people_per_second=pace,
                calm_since=calm_since,
                cooled_at=now if is_calm else None,
            )
        )


def keep_early_counts(*, parts: Parts, now: datetime) -> int:
    """Before the opening, keep a copy of who was counted; bring it back where Redis lost it."""
    windows = [window for window in queries.windows_closing_after(now) if window.is_before(now)]
    for window in windows:
        _keep_early_count(parts, window, now)
    return 0


def _keep_early_count(parts: Parts, window: Window, now: datetime) -> None:
    """The copy is united each time: after a loss many may have come before anybody noticed."""
    counted, copy = queries.early_copy(window.window_id)
    if copy is not None:
        parts.early_count.bring_back(window.window_id, copy, kept_seconds(window, now))
    count = parts.early_count.count(window.window_id)
    sketch = parts.early_count.sketch(window.window_id)
    if count <= counted or sketch is None:
        return
    with transaction(db) as session:
        session.execute(
            update(WaitingWindow)
            .where(WaitingWindow.window_id == window.window_id)
            .values(early_counted=count, early_sketch=sketch)
        )
