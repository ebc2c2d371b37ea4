"""The first page: where the API pages, the mails and the payment sandbox are."""

from collections.abc import Mapping, Sequence

from jinja2 import Environment, PackageLoader

ABOUT = {
    "registration": "Accounts, codes by e-mail, sign-in and the keys to verify tokens.",
    "ticket": "Stations, trains, runs, coaches, seats and fares.",
    "order": "Availability, seat maps, holds, orders and tickets.",
    "payment": "Payments, refunds and the ledger.",
    "waitingroom": "Admission during a rush.",
}
pages = Environment(loader=PackageLoader("railgate", "pages"), autoescape=True)


def landing_page(services: Sequence[str], links: Mapping[str, str]) -> str:
    """Render the page; `links` are the addresses of the mails and of the sandbox, or empty."""
    told = [{"name": name, "about": ABOUT.get(name, "")} for name in services if name != "web"]
    return pages.get_template("landing.html").render(services=told, links=links)
