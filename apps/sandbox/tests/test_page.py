"""The hosted page: what it says, that it works without a script, and where it sends the payer."""

import re
from html import unescape
from html.parser import HTMLParser

from sandbox.cards import CARDS

APPROVES, DECLINES, STALLS = "4000 0000 0000 0000", "4000000000000002", "4000-0000-0000-0028"


class Page(HTMLParser):
    """Collects what the accessibility checks look at."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.labels, self.inputs, self.described, self.tags = [], set(), [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append((tag, given))
        self.ids += [given["id"]] if "id" in given else []
        if tag == "label":
            self.labels.add(given["for"])
        if tag == "input":
            self.inputs.append(given["id"])
        for name in ("aria-describedby", "aria-labelledby"):
            self.described += given.get(name, "").split()


def assert_is_accessible(html):
    page = Page(html)
    assert page.tags[0][0] == "html"
    assert page.tags[0][1]["lang"] == "en"
    assert len(page.ids) == len(set(page.ids))
    assert set(page.inputs) <= page.labels
    assert set(page.described) <= set(page.ids)
    assert sum(tag == "h1" for tag, _ in page.tags) == 1
    assert not [given for _, given in page.tags if "style" in given or "onclick" in given]
    assert re.search(r"<title>[^<]+</title>", html)


def test_the_page_says_how_much_what_for_and_how_long(provider):
    html = provider.client.get(f"/pay/{provider.open(seconds=125)}").text
    assert "BDT 710.00" in html
    assert "Suborno Express, Dhaka to Chattogram, 2 seats" in html
    assert "order-1" in html
    assert re.search(r"2 min 0[345] s", html)
    assert_is_accessible(html)


def test_the_page_lists_every_card_with_what_it_does(provider):
    html = unescape(provider.client.get(f"/pay/{provider.open()}").text)
    for card in CARDS:
        assert card.printed in html
        assert card.effect in html
        assert f'name="card" value="{card.number}"' in html


def test_paying_sends_the_payer_back_with_the_session(provider):
    session_id = provider.open()
    answer = provider.pay(session_id, APPROVES)
    assert answer.status_code == 303
    assert (
        answer.headers["Location"] == f"http://shop.test/orders/1?a=b&session_id={session_id}#top"
    )


def test_a_second_press_pays_nothing_more(provider):
    session_id = provider.open()
    answers = [provider.pay(session_id, card) for card in (APPROVES, APPROVES, DECLINES)]
    assert {answer.headers["Location"] for answer in answers} == {answers[0].headers["Location"]}
    assert provider.get(session_id)["state"] == "authorised"
    assert provider.shop.wait_for(2, seconds=0.6) == ["payment.authorised"]


def test_an_unknown_card_is_refused_beside_the_field(provider):
    session_id = provider.open()
    answer = provider.pay(session_id, '4111 1111 "><b>')
    assert answer.status_code == 422
    assert "This is not one of the test cards." in answer.text
    assert "<title>Error: " in answer.text
    assert "<b>" not in answer.text
    assert_is_accessible(answer.text)
    assert provider.get(session_id)["state"] == "open"


def test_a_silent_bank_leaves_the_payer_on_a_page_that_says_so(provider):
    session_id = provider.open()
    answer = provider.pay(session_id, STALLS)
    assert answer.headers["Location"] == f"/pay/{session_id}"
    html = provider.client.get(f"/pay/{session_id}").text
    assert "Waiting for the bank" in html
    assert_is_accessible(html)


def test_a_declined_payment_says_why(provider):
    session_id = provider.open()
    provider.pay(session_id, DECLINES)
    html = provider.client.get(f"/pay/{session_id}").text
    assert "The bank said no" in html
    assert "declined by bank" in html
    assert_is_accessible(html)


def test_an_unknown_session_is_not_found(provider):
    assert provider.client.get("/pay/session-0001").status_code == 404


def test_the_front_page_says_what_this_is(provider):
    html = provider.client.get("/").text
    assert "No money moves here" in html
    assert_is_accessible(html)


def test_no_page_may_run_what_it_does_not_ship(provider):
    policy = provider.client.get(f"/pay/{provider.open()}").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy


def test_amounts_are_written_as_the_currency_is():
    from sandbox.page import price

    assert price(123_456_705, "BDT") == "BDT 1,234,567.05"
    assert price(1_500, "JPY") == "JPY 1,500"
