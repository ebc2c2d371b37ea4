"""
From measured processor time to cores: what serves the half hour of 11 April 2023, 25 million hits
for 26,446 tickets, and what is the next bottleneck.

The model is linear: a poll, a join, an admission, a look, an attempt and a purchase each cost what
they cost here. It knows nothing of queueing, so cores are planned to be busy by UTILISATION only.
"""

from dataclasses import dataclass

HITS, TICKETS, SECONDS = 25_000_000, 26_446, 1_800
# The busiest minute against the mean of the half hour; 1.8 million came in the first one in 2022.
PEAK = 3.0
UTILISATION = 0.6
NGINX_POLL_MS, NGINX_PASS_MS = 0.012, 0.10
USERS = 1_800_000
SERVICES = ("waitingroom", "order", "ticket", "payment")
# Everybody takes a place; what comes after the door grows with the tickets, not with the crowd.
BY_USERS = frozenset({"waitingroom"})
BEHIND = ("postgres", "valkey", "order-worker", "payment-worker", "waitingroom-worker",
          "ticket-worker", "registration-worker")  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A part of the system: what asks it, how often a second at the peak, and the cores for it."""

    name: str
    per_second: float
    cpu_ms: float
    grows_by: str

    @property
    def cores(self) -> float:
        return self.per_second * self.cpu_ms / 1e3 / UTILISATION


@dataclass(frozen=True)
class Measured:
    """A run's totals: requests by step, processor seconds by process, tickets sold."""

    steps: dict[str, int]
    cpu: dict[str, float]
    answered: dict[str, int]
    tickets: int
    users: int
    edge_poll_ms: float = NGINX_POLL_MS

    @property
    def reached(self) -> int:
        """Requests that the edge passed on to a service."""
        return sum(self.answered.get(name, 0) for name in (*SERVICES, "registration"))

    def edge_seconds(self, *, polls: int, reached: int) -> float:
        """What this run's gateway would need for other numbers of polls and of other requests."""
        own_polls = self.steps.get("now serving", 0) * self.edge_poll_ms / 1e3
        passing = max(0.0, self.cpu.get("gateway", 0.0) - own_polls) / max(self.reached, 1)
        return polls * self.edge_poll_ms / 1e3 + reached * passing


def cpu_per_request(measured: Measured) -> dict[str, float]:
    """Milliseconds of each service for one request that reached it."""
    return {
        name: 1e3 * measured.cpu.get(name, 0.0) / measured.answered[name]
        for name in SERVICES
        if measured.answered.get(name)
    }


def model(measured: Measured, *, edge_poll_ms: float = NGINX_POLL_MS) -> list[Part]:
    """
    The hits beyond those of this run's mix are polls of the number that is served: with 945 hits
    a ticket, waiting is what people do most. Purchases follow the tickets.
    """
    tickets_per_second = TICKETS / SECONDS * PEAK
    hits_per_second = HITS / SECONDS * PEAK
    scales = {
        True: USERS / SECONDS * PEAK / max(measured.users, 1),
        False: tickets_per_second / max(measured.tickets, 1),
    }
    costs = cpu_per_request(measured)
    parts, reaching = [], 0.0
    for name, cost in costs.items():
        per_second = measured.answered[name] * scales[name in BY_USERS]
        reaching += per_second
        parts.append(Part(name, per_second, cost, "replicas"))
    for name in BEHIND:
        used = measured.cpu.get(name, 0.0)
        if used:
            per_ticket = 1e3 * used / max(measured.tickets, 1)
            grows = "a larger machine" if name == "postgres" else "see below"
            parts.append(Part(name, tickets_per_second, per_ticket, grows))
    polls = max(hits_per_second - reaching, 0.0)
    parts.append(
        Part("edge: polls answered by nginx or a CDN", polls, edge_poll_ms, "replicas, CDN")
    )
    parts.append(Part("edge: passing on to services", reaching, NGINX_PASS_MS, "replicas"))
    return parts


def prediction(model_of: Measured, checked: Measured) -> list[tuple[str, float, float]]:
    """For another run, by service: the processor seconds predicted, and those measured."""
    costs = cpu_per_request(model_of)
    return [
        (name, costs[name] * checked.answered.get(name, 0) / 1e3, checked.cpu.get(name, 0.0))
        for name in costs
        if checked.answered.get(name)
    ]
