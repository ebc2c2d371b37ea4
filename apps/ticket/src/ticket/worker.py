"""The ticket service's worker: once an hour it sees that the coming days have their runs."""

from chassis.application import utc_now
from chassis.worker import Loop, run_worker
from ticket.app import create_app
from ticket.rolling import roll_forward

REST_SECONDS = 3_600


def main() -> None:
    app = create_app()
    days = app.extensions["settings"].days_ahead
    run_worker(
        app,
        [Loop("roll-forward", lambda: roll_forward(days=days, now=utc_now()), REST_SECONDS)],
    )


if __name__ == "__main__":
    main()
