"""
Who was called: how many may still be on their way, and how large a part of the called comes at all.
Late in a rush most of the line has gone home, and a seat that comes back would otherwise wait until
the line has reached, two by two, the few who stayed.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from waitingroom.comers import Comers
from waitingroom.inlet import Calls
from waitingroom.window import OPEN, Window

# A page looks every thirty seconds at the least, and oftener when its turn is near.
NOTICED_WITHIN = timedelta(seconds=30)
LOOKED_BACK_NUMBERS = 200
COMING_SHARE_MIN = 0.0001


@dataclass
class _Called:
    """
    Which number was reached when. Numbers up to `counted_after` prove nothing about who comes: they
    were called when nothing was free, or before Redis lost who came; `share_before` is what was
    known by then.
    """

    counted_after: int
    reached: deque[tuple[datetime, int]] = field(default_factory=deque)
    comers: int = 0
    share: float = 1.0
    share_before: float = 1.0

    def count_after(self, number: int) -> None:
        self.counted_after, self.share_before = number, self.share


class CallWatch:
    """What one worker knows of its calls; a new one begins with thinking that everybody comes."""

    def __init__(self) -> None:
        self._called: dict[UUID, _Called] = {}

    def calls(self, window: Window, comers: Comers, now: datetime) -> Calls:
        """
        On their way is who was called within the time that a page may take to notice. Where nothing
        was free they have been told so, and nobody is on the way.
        """
        called = self._called.setdefault(window.window_id, _Called(window.serving))
        if window.stock != OPEN:
            called.reached.clear()
            called.count_after(window.serving)
        called.reached.append((now, window.serving))
        while called.reached[0][0] < now - NOTICED_WITHIN:
            called.reached.popleft()
        noticed = called.reached[0][1]
        _learn(called, comers, window, noticed)
        return Calls(window.serving - noticed, called.share)


def _learn(called: _Called, comers: Comers, window: Window, noticed: int) -> None:
    """
    The last two hundred are looked at, or all since the last who came: the longer nobody comes, the
    more are called, while order bears it. Who is on the way may prove that people come again,
    which is seen within seconds, never that they do not.
    """
    after = max(called.counted_after, noticed - LOOKED_BACK_NUMBERS)
    found = comers.count(window.window_id, after=after, noticed=noticed, newest=window.serving)
    if found is None:
        return
    if found.total < called.comers:
        called.count_after(window.serving)
    else:
        looked_at = noticed - min(after, max(called.counted_after, found.last))
        of_noticed = (found.lately + called.share_before) / (max(0, looked_at) + 1)
        of_newest = found.newest / max(window.serving - noticed, 1)
        called.share = min(max(of_noticed, of_newest, COMING_SHARE_MIN), 1.0)
    called.comers = found.total
