"""The shop is posted to over a connection that is kept as long as the shop keeps it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox.posting import Poster


class Shop(ThreadingHTTPServer):
    """Counts its connections and closes each after `posts_max` answers, without saying so."""

    daemon_threads = True

    def __init__(self, *, posts_max=100):
        super().__init__(("127.0.0.1", 0), Counter)
        self.posts_max, self.connections, self.heard = posts_max, 0, []
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class Counter(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.posts, self.server.connections = 0, self.server.connections + 1

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, body, self.headers["X-Word"]))
        self.send_response(202)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
        self.posts += 1
        self.close_connection = self.posts == self.server.posts_max

    def log_message(self, *args):
        pass


@pytest.fixture
def shops():
    made = [Shop(), Shop(), Shop(posts_max=1)]
    yield made
    for shop in made:
        shop.shutdown()
        shop.server_close()


@pytest.fixture
def poster():
    poster = Poster(timeout_seconds=2.0)
    yield poster
    poster.close()


def test_posts_to_one_shop_share_a_connection(shops, poster):
    shop = shops[0]
    targets = ("/events?a=b", "/events", "")
    for target in targets:
        assert poster.post(shop.url + target, b"body", {"X-Word": "one"}) == 202
    assert [path for path, *_ in shop.heard] == ["/events?a=b", "/events", "/"]
    assert {(body, word) for _, body, word in shop.heard} == {(b"body", "one")}
    assert shop.connections == 1


def test_a_post_to_another_shop_goes_there(shops, poster):
    for shop in (shops[0], shops[1], shops[0]):
        assert poster.post(shop.url, b"", {}) == 202
    assert [shop.connections for shop in shops] == [2, 1, 0]


def test_what_meets_a_connection_closed_by_the_shop_is_sent_again(shops, poster):
    shop = shops[2]
    for _ in range(3):
        assert poster.post(shop.url, b"", {}) == 202
    assert (shop.connections, len(shop.heard)) == (3, 3)


def test_a_shop_that_has_gone_is_an_error_each_time(shops, poster):
    shop = shops[0]
    poster.post(shop.url, b"", {})
    poster.close()
    shop.shutdown()
    shop.server_close()
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            poster.post(shop.url, b"", {})
