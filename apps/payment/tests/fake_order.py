"""
An order service that can be told what to answer: a real HTTP server with the real one's rules for
pins and confirmations, and a script of troubles.
"""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import jwt
from flask import Flask, Response, jsonify, request

SLOW_SECONDS = 0.8


@dataclass
class Order:
    order_id: UUID
    account_id: UUID
    amount_minor: int = 71_000
    currency: str = "BDT"
    state: str = "held"
    payment_id: str | None = None
    hold_seconds: float = 300.0
    are_seats_gone: bool = False
    cancellations: int = 0


@dataclass
class FakeOrder:
    """
    `troubles[kind]` are the troubles of the next calls of a kind (pin, unpin, confirm, failure):
    a status such as 500, "slow" (does it, answers too late), "crash" (does it, then answers 500),
    a code such as "hold_lost" (says no and does nothing), or None for none.
    """

    secret: str
    orders: dict[str, Order] = field(default_factory=dict)
    troubles: dict[str, list] = field(default_factory=dict)
    calls: Counter = field(default_factory=Counter)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def reset(self):
        with self.lock:
            self.orders.clear()
            self.troubles.clear()
            self.calls.clear()

    def new_order(self, account_id, **changes) -> Order:
        order = Order(uuid4(), account_id, **changes)
        self.orders[str(order.order_id)] = order
        return order

    def answer(self, kind, order_id, act):
        jwt.decode(
            request.headers["Authorization"].removeprefix("Bearer "),
            self.secret, algorithms=["HS256"], audience="order", issuer="payment",
        )  # fmt: skip
        with self.lock:
            self.calls[kind] += 1
            script = self.troubles.get(kind) or [None]
            trouble = script.pop(0)
            if isinstance(trouble, int):
                return problem(trouble, "trouble")
            if isinstance(trouble, str) and trouble not in {"slow", "crash"}:
                return problem(409, trouble)
            order = self.orders.get(str(order_id))
            given = act(order) if order else problem(404, "order_not_found")
        if trouble == "slow":
            time.sleep(SLOW_SECONDS)
        return problem(500, "crashed") if trouble == "crash" else given

    def pin(self, order, payment_id):
        if order.state == "held" and order.payment_id is None:
            order.state, order.payment_id = "paying", payment_id
        if order.payment_id != payment_id or order.state not in {"paying", "confirmed"}:
            return problem(409, "already_paying" if order.state == "paying" else "order_not_held")
        until = datetime.now(UTC) + timedelta(seconds=order.hold_seconds)
        return jsonify(
            order_id=str(order.order_id),
            payment_id=payment_id,
            account_id=str(order.account_id),
            amount_minor=order.amount_minor,
            currency=order.currency,
            pinned_until=until.isoformat().replace("+00:00", "Z"),
            contact_email="rahima@example.org",
            contact_name="Rahima Khatun",
            description="Suborno Express, Dhaka to Chattogram, 2 passenger(s)",
        )

    def unpin(self, order, payment_id):
        if order.payment_id == payment_id and order.state != "confirmed":
            order.payment_id = None
            order.state = "held" if order.state == "paying" else order.state
        return Response(status=204)

    def confirm(self, order, body):
        payment_id = body["payment_id"]
        if order.state == "confirmed":
            if order.payment_id != payment_id:
                return problem(409, "order_already_confirmed")
            return jsonify(order_id=str(order.order_id), state="confirmed", pnr="ABC123")
        if order.payment_id != payment_id or order.are_seats_gone or order.state == "cancelled":
            return problem(409, "hold_lost")
        if (order.amount_minor, order.currency) != (body["amount_minor"], body["currency"]):
            return problem(409, "amount_differs")
        order.state = "confirmed"
        return jsonify(order_id=str(order.order_id), state="confirmed", pnr="ABC123"), 201

    def fail(self, order, payment_id):
        if order.payment_id != payment_id:
            return problem(404, "order_not_found")
        if order.state == "confirmed":
            order.state, order.cancellations = "cancelled", order.cancellations + 1
        return jsonify(order_id=str(order.order_id), state=order.state)

    def app(self) -> Flask:
        app = Flask("fake_order")

        @app.put("/api/order/orders/<uuid:order_id>/pins/<payment_id>")
        def pin(order_id, payment_id):
            return self.answer("pin", order_id, lambda order: self.pin(order, payment_id))

        @app.delete("/api/order/orders/<uuid:order_id>/pins/<payment_id>")
        def unpin(order_id, payment_id):
            return self.answer("unpin", order_id, lambda order: self.unpin(order, payment_id))

        @app.put("/api/order/orders/<uuid:order_id>/confirmation")
        def confirm(order_id):
            return self.answer("confirm", order_id, lambda order: self.confirm(order, request.json))

        @app.put("/api/order/orders/<uuid:order_id>/payment-failure")
        def failure(order_id):
            payment_id = request.json["payment_id"]
            return self.answer("failure", order_id, lambda order: self.fail(order, payment_id))

        return app


def problem(status, code):
    response = jsonify(status=status, code=code, title=code)
    response.content_type = "application/problem+json"
    response.status_code = status
    return response
