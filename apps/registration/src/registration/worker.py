"""Registration's worker: `python -m registration.worker` sends the mails and tidies up."""

from functools import partial

from chassis.application import utc_now
from chassis.outbox import deliver_due
from chassis.worker import Loop, run_worker
from registration import mailing, tidying
from registration.app import create_app
from registration.models import Outbox, db

# A dead mail server takes 10 s a mail; a batch must end before the lease of 60 s does.
MAILS_PER_BATCH = 5
TIDY_SECONDS = 300.0


def send_mails() -> int:
    now = utc_now()
    handler = partial(mailing.deliver_mail, now=now)
    return deliver_due(db, Outbox, "mail", handler, now=now, limit=MAILS_PER_BATCH)


def tidy() -> int:
    """Always rests afterwards: what comes next can wait."""
    tidying.throw_away(now=utc_now())
    return 0


LOOPS = [Loop("mails", send_mails, 0.5), Loop("tidy", tidy, TIDY_SECONDS)]


if __name__ == "__main__":
    run_worker(create_app(), LOOPS)
