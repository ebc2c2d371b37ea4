"""The waiting room's worker: makes windows, moves lines, publishes what is being served."""

import logging
from pathlib import Path

from flask import Flask

from chassis.application import utc_now
from chassis.worker import Loop, run_worker
from waitingroom import following, publishing, serving
from waitingroom.app import create_app
from waitingroom.calls import CallWatch
from waitingroom.clients.order import OrderClient
from waitingroom.clients.ticket import TicketClient
from waitingroom.parts import current_parts
from waitingroom.serving import PressureWatch, Watches
from waitingroom.settings import Settings
from waitingroom.stock import StockWatch

ROUND_SECONDS = 1.0
PUBLISH_SECONDS = 0.5
FOLLOW_SECONDS = 10.0


def loops_of(app: Flask) -> list[Loop]:
    settings: Settings = app.extensions["settings"]
    order, ticket = OrderClient(settings.order_url), TicketClient(settings.ticket_url)
    watches = Watches(PressureWatch(order), StockWatch(order, ticket), CallWatch())

    def move_lines() -> int:
        return serving.move_lines(parts=current_parts(), watches=watches, now=utc_now())

    def keep_early_counts() -> int:
        return serving.keep_early_counts(parts=current_parts(), now=utc_now())

    def follow_openings() -> int:
        return following.follow_openings(parts=current_parts(), ticket=ticket, now=utc_now())

    return [
        Loop("lines", move_lines, rest_seconds=ROUND_SECONDS),
        Loop("now serving", _publish, rest_seconds=PUBLISH_SECONDS),
        Loop("early counts", keep_early_counts, rest_seconds=2.0),
        Loop("openings", follow_openings, rest_seconds=FOLLOW_SECONDS),
    ]


def _publish() -> int:
    """Apart from the lines: a slow order service shall not make what is told stale."""
    parts = current_parts()
    folder = parts.settings.now_serving_folder
    return publishing.publish(parts=parts, folder=Path(folder), now=utc_now()) if folder else 0


if __name__ == "__main__":
    # Each scrape of order would be a line of its own.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    app = create_app()
    run_worker(app, loops_of(app))
