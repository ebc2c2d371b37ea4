"""
`railgate audit`: proves from the databases of order and payment that no seat is sold
twice and nobody has paid for nothing. It only reads, and may run beside sales.

What is still under way (a capture, a refund that the worker will send) is counted and
waited for, and is not a breach. What looks like a breach is read once more, because the
two databases cannot be read at the same instant.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg2

from railgate.books import Books, read_books
from railgate.invariants import BETWEEN, INSIDE

PAUSE_SECONDS = 0.5
SECOND_LOOK_SECONDS = 3.0
SHOWN_MAX = 5


@dataclass(frozen=True)
class Finding:
    """One invariant: how much it was held against, and who breaks it."""

    sentence: str
    looked_at: int
    breaches: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    books: Books
    findings: tuple[Finding, ...]

    @property
    def breaches(self) -> frozenset[tuple[str, str]]:
        return frozenset((f.sentence, who) for f in self.findings for who in f.breaches)

    @property
    def is_clean(self) -> bool:
        return not self.breaches


class AuditImpossible(Exception):
    """The databases cannot be read; the message says which and why."""


def audit(order_url: str, payment_url: str, *, wait_seconds: float = 0.0) -> Report:
    """
    Look until nothing is under way or the time is over, and at a breach at least twice.

    Raises:
        AuditImpossible: a database does not answer or lacks its tables.
    """
    began = time.monotonic()
    report = look(order_url, payment_url)
    while True:
        spent = time.monotonic() - began
        is_worth_waiting = report.books.under_way and spent < wait_seconds
        if not is_worth_waiting and (report.is_clean or spent > SECOND_LOOK_SECONDS):
            return report
        time.sleep(PAUSE_SECONDS)
        report = look(order_url, payment_url)


def look(order_url: str, payment_url: str) -> Report:
    """Payment is read first: what it has captured by then, order has confirmed before."""
    try:
        books, inside = read_books(order_url, payment_url, INSIDE)
    except psycopg2.Error as error:
        raise AuditImpossible(f"The books cannot be read: {error}") from error
    findings = [
        Finding(check.sentence, books.counts[check.of], tuple(inside[check.sentence]))
        for check in INSIDE
    ]
    findings += [
        Finding(check.sentence, books.counts[check.of], tuple(check.breaches(books)))
        for check in BETWEEN
    ]
    return Report(books, tuple(findings))


def print_report(report: Report, say: Callable[[str], None] = print) -> None:
    books = report.books
    for name, count in books.counts.items():
        say(f"  {name:<28} {count:>10,}")
    say("")
    width = max(len(finding.sentence) for finding in report.findings)
    say(f"  {'':<7}{'invariant':<{width}}  {'looked at':>10}  {'broken':>7}")
    for finding in report.findings:
        mark = "BROKEN" if finding.breaches else "ok"
        found = f"{finding.looked_at:>10,}  {len(finding.breaches):>7,}"
        say(f"  {mark:<7}{finding.sentence:<{width}}  {found}")
        for who in finding.breaches[:SHOWN_MAX]:
            say(f"           {who}")
    say("")
    if books.under_way:
        say(f"  {len(books.under_way)} under way, not counted as broken:")
        for what in books.under_way[:SHOWN_MAX]:
            say(f"    {what}")
    broken = sum(bool(finding.breaches) for finding in report.findings)
    say(f"  {broken} of {len(report.findings)} invariants are broken." if broken else "  Clean.")
