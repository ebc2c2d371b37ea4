"""The mails of order: a confirmed order with its tickets."""

from datetime import datetime
from zoneinfo import ZoneInfo

from order.queries import Record


def ticket_mail(order: Record, *, public_url: str) -> tuple[str, str]:
    """Give subject and text."""
    journey = order["journey"]
    subject = f"Your tickets: {journey['train_name']}, PNR {order['pnr']}"
    lines = [
        f"Dear {order['contact_name']},",
        "",
        f"your order is confirmed. PNR: {order['pnr']}",
        "",
        f"{journey['train_name']} ({journey['train_number']})",
        f"{journey['from']['name']}  {_local(journey['departs_at'], journey['timezone'])}",
        f"{journey['to']['name']}  {_local(journey['arrives_at'], journey['timezone'])}",
        "",
        *(
            f"{p['name']}: coach {p['coach_letter']}, seat {p['seat_number']}, {p['seat_class']},"
            f" {_money(p['price_minor'], order['currency'])}"
            for p in order["passengers"]
        ),
        "",
        f"Online charge: {_money(order['online_charge_minor'], order['currency'])}",
        f"Paid: {_money(order['amount_minor'], order['currency'])}",
        "",
        f"Your order: {public_url}/api/order/orders/{order['order_id']}",
        "Please carry the document that you named for each passenger.",
    ]
    return subject, "\n".join(lines) + "\n"


def _local(time: str, timezone: str) -> str:
    return datetime.fromisoformat(time).astimezone(ZoneInfo(timezone)).strftime("%a %d %b, %H:%M")


def _money(amount_minor: int, currency: str) -> str:
    return f"{currency} {amount_minor // 100}.{amount_minor % 100:02d}"
