"""The bench's Railgate: the limits of one account are lifted, and the largest runs are known."""

import functools
from datetime import UTC, datetime, timedelta

import httpx
from ci.town import Town, started_town

ACCOUNTS = 200
LIFTED = {
    "ORDER__ORDERS_PER_DAY_MAX": "100",
    "ORDER__HOLDS_PER_DAY_MAX": "200",
}
PAIRS = (("DA", "CTG"), ("CTG", "DA"), ("DA", "SYT"), ("DA", "RJH"), ("DA", "KLN"), ("DA", "CP"))


class BenchTown:
    """A town with prepared accounts: tokens are signed beforehand, as on a real day."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._accounts = [town.account() for _ in range(ACCOUNTS)]

    @functools.cache  # noqa: B019 - a bench has one town
    def address(self, name: str) -> str:
        """Asked for each request that is made ready, and the town reads a file to say it."""
        return self.town.address(name)

    def account(self, n: int) -> dict[str, str]:
        return self._accounts[n % ACCOUNTS]

    def runs_on_sale(self, count: int) -> list[dict]:
        """The definitions of the largest runs that are on sale in the next days."""
        found: dict[str, dict] = {}
        for days in (3, 4, 5):
            day = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
            for start, end in PAIRS:
                self._collect(found, {"from": start, "to": end, "date": day})
        sized = sorted(found.values(), key=lambda d: -sum(len(c["seats"]) for c in d["coaches"]))
        return sized[:count]

    def _collect(self, found: dict[str, dict], query: dict[str, str]) -> None:
        ticket = self.town.address("ticket")
        answer = httpx.get(f"{ticket}/api/ticket/runs", params=query)
        for run in answer.json().get("runs", []) if answer.status_code == 200 else []:
            if run["sales"]["state"] == "open" and run["run_id"] not in found:
                path = f"{ticket}/api/ticket/runs/{run['run_id']}"
                found[run["run_id"]] = httpx.get(path).json()


def started_bench_town():
    return started_town(settings=LIFTED)
