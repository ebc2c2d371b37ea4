"""The figures of a rush as tables: lists of rows, the first one the heading."""

from collections import Counter, defaultdict

from loadtest.capacity import (
    HITS,
    NGINX_POLL_MS,
    PEAK,
    SECONDS,
    TICKETS,
    UTILISATION,
    Measured,
    Part,
    cpu_per_request,
)
from loadtest.record import ENDS
from loadtest.rush import Outcome
from loadtest.scenario import SEATS_TOTAL

Table = list[list[str]]


def percentile(times: list[float], percent: float) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def measured(outcome: Outcome) -> Measured:
    sold = outcome.rush.seats_sold + (outcome.day.seats_sold if outcome.day else 0)
    steps: Counter = Counter()
    for (step, _), times in outcome.answers.items():
        steps[step] += len(times)
    answered = {name: int(sum(rules.values())) for name, rules in outcome.answered.items()}
    poll_ms = outcome.edge.poll_cpu_ms if outcome.edge else NGINX_POLL_MS
    return Measured(dict(steps), outcome.cpu, answered, sold, outcome.plan.shape.users, poll_ms)


def counted(outcome: Outcome) -> Table:
    rows = [["in the databases", "five trains", "the day's real trains"]]
    rush, day = outcome.rush, outcome.day
    for name, word in (
        ("seats_sold", "seats sold"), ("tickets", "tickets issued"), ("oversold", "oversold"),
        ("held", "held at the end"), ("stuck", "stuck"), ("orders", "orders placed"),
        ("orders_confirmed", "orders confirmed"), ("payments_captured", "payments captured"),
    ):  # fmt: skip
        rows.append([word, f"{getattr(rush, name):,}", f"{getattr(day, name):,}" if day else ""])
    for name, word in (
        ("captured_minor", "money in, Tk"), ("confirmed_minor", "of confirmed orders, Tk"),
        ("refunded_minor", "refunded, Tk"),
    ):  # fmt: skip
        amounts = [f"{getattr(s, name) / 100:,.0f}" if s else "" for s in (rush, day)]
        rows.append([word, *amounts])
    return rows


def ended(outcome: Outcome) -> Table:
    rows = [["end", "passengers", "most frequent reasons"]]
    why: dict[str, Counter] = defaultdict(Counter)
    for story in outcome.stories:
        why[story["end"]][story["why"] or "-"] += 1
    for end in ENDS:
        reasons = ", ".join(f"{word} ({n:,})" for word, n in why[end].most_common(4) if word != "-")
        rows.append([end, f"{outcome.ends[end]:,}", reasons])
    return rows


def answered(outcome: Outcome) -> Table:
    rows = [["step", "answer", "count", "p50 ms", "p95 ms", "p99 ms", "max ms"]]
    for (step, word), times in sorted(outcome.answers.items(), key=lambda item: -len(item[1])):
        if not step.startswith("bystander"):
            figures = [percentile(times, p) for p in (50, 95, 99)]
            rows.append(
                [step, word, f"{len(times):,}", *(f"{f:,.0f}" for f in [*figures, max(times)])]
            )
    return rows


def watched(outcome: Outcome) -> Table:
    """Before the crowd, while it waits and buys, by step."""
    rows = [["bystander", "when", "requests", "p50 ms", "p95 ms", "p99 ms", "failed"]]
    crowd_from = min((s["arrived_at"] for s in outcome.stories), default=outcome.opens_at)
    parts = (
        ("before anybody came", 0.0, crowd_from),
        ("while the line forms", crowd_from, outcome.opens_at),
        ("the first minute", outcome.opens_at, outcome.opens_at + 60),
        ("after it", outcome.opens_at + 60, float("inf")),
    )
    for step in sorted({row[1] for row in outcome.bystanders}):
        for when, start, end in parts:
            some = [r for r in outcome.bystanders if r[1] == step and start <= r[0] < end]
            if some:
                times = [row[2] for row in some]
                figures = [f"{percentile(times, p):,.0f}" for p in (50, 95, 99)]
                failed = sum(not row[3] for row in some)
                rows.append([step, when, f"{len(some):,}", *figures, f"{failed}"])
    return rows


def processes(outcome: Outcome) -> Table:
    rows = [["process", "CPU s", "requests", "requests/s", "CPU ms a request",
             "CPU ms a ticket", "peak MB"]]  # fmt: skip
    seen = measured(outcome)
    costs = cpu_per_request(seen)
    seconds = outcome.ended_at - outcome.began_at
    for name in sorted(outcome.cpu, key=lambda name: -outcome.cpu[name]):
        used, count = outcome.cpu[name], seen.answered.get(name, 0)
        if name.startswith("generator"):
            count = outcome.requests // outcome.plan.processes
        cost = 1e3 * used / count if count else costs.get(name, 0.0)
        rows.append([
            name, f"{used:,.1f}", f"{count:,}" if count else "",
            f"{count / seconds:,.0f}" if count else "", f"{cost:.2f}" if cost else "",
            f"{1e3 * used / max(seen.tickets, 1):.1f}", f"{outcome.memory_mb.get(name, 0):,.0f}",
        ])  # fmt: skip
    return rows


def edge_against_services(outcome: Outcome) -> Table:
    """The services' own counters show whether polls reached them."""
    polls = sum(len(t) for (step, _), t in outcome.answers.items() if step == "now serving")
    rules = outcome.answered.get("waitingroom", {})
    reached = sum(n for rule, n in rules.items() if "now-serving" in rule)
    rows = [["polls of what is served", "count"], ["asked by passengers", f"{polls:,}"],
            ["of these answered by the waiting room's Flask", f"{int(reached):,}"]]  # fmt: skip
    if outcome.edge:
        e = outcome.edge
        rows += [
            [f"gateway ({e.gateway}), polls a second on its own", f"{e.polls_per_second:,.0f}"],
            ["an empty Flask request, a second", f"{e.floor_per_second:,.0f}"],
            ["CPU ms of a poll at the gateway", f"{e.poll_cpu_ms:.3f}"],
            ["CPU ms of an empty Flask request", f"{e.floor_cpu_ms:.3f}"],
            ["cheaper than the Flask floor by CPU", f"{e.floor_cpu_ms / e.poll_cpu_ms:.1f} times"],
        ]
    return rows


def fought(outcome: Outcome) -> Table:
    attempts = sum(s["attempts"] for s in outcome.stories if s["wanted"] == "rush")
    hottest = outcome.seat_attempts.most_common(1)
    users = max(len(outcome.stories), 1)
    own = outcome.generator_cpu_seconds
    late = percentile(outcome.late_seconds, 99)
    rows = [
        ["what", "figure"],
        ["requests of passengers", f"{outcome.requests:,}"],
        ["requests a passenger", f"{outcome.requests / users:.1f}"],
        ["order attempts for the five trains", f"{attempts:,}"],
        ["attempts a seat", f"{attempts / SEATS_TOTAL:.1f}"],
        ["attempts on the hottest seat", f"{hottest[0][1] if hottest else 0:,}"],
        ["the generators' own CPU a request", f"{1e3 * own / max(outcome.requests, 1):.2f} ms"],
        ["passengers started late by the generators, p99", f"{late:.1f} s"],
        ["seconds until no seat was held any more", f"{outcome.settle_seconds:.0f}"],
    ]
    if outcome.fair:
        f = outcome.fair
        rows += [
            ["Kendall's tau of line and serving", f"{f.tau:.3f} ({f.people:,} people)"],
            ["mean displacement, of all who were served", f"{100 * f.displacement:.1f} %"],
        ]
    rows += [[f"cheats, {word}", f"{n:,}"] for word, n in sorted(outcome.cheats.items())]
    return rows


def cores(parts: list[Part]) -> Table:
    rows = [["part", "asked a second at the peak", "CPU ms each", "cores", "grows by"]]
    rows += [
        [p.name, f"{p.per_second:,.0f}", f"{p.cpu_ms:.3f}", f"{p.cores:.1f}", p.grows_by]
        for p in sorted(parts, key=lambda part: -part.cores)
    ]
    rows.append(["all", f"{HITS / SECONDS * PEAK:,.0f}", "", f"{sum(p.cores for p in parts):.1f}",
                 (f"{TICKETS:,} tickets in {SECONDS // 60} min, peak {PEAK:.0f} x mean, "
                 f"cores busy {UTILISATION:.0%}")])  # fmt: skip
    return rows
