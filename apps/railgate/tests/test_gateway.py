"""The gateway passes requests on unchanged, answers for silent services, and trusts no caller."""

import asyncio
import contextlib
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from aiohttp import web

from railgate import children, nginx
from railgate import gateway as gateway_program
from railgate.gateway import BODY_BYTES_MAX, create_gateway, upstreams_from

NGINX = shutil.which("nginx")
asked_for_slow = []
KINDS = ["python", "nginx"] if NGINX else ["python"]


@contextlib.contextmanager
def serving(app, port):
    """Run an aiohttp application in a thread."""
    loops, up = [], threading.Event()

    async def serve():
        stopping = asyncio.Event()
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        loops.append((asyncio.get_running_loop(), stopping))
        up.set()
        await stopping.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert up.wait(10)
        yield
    finally:
        loop, stopping = loops[0]
        loop.call_soon_threadsafe(stopping.set)
        thread.join(10)


def an_upstream():
    async def echo(request):
        body = await request.read()
        return web.json_response(
            {
                "method": request.method,
                "raw_path": request.raw_path,
                "headers": {k.lower(): v for k, v in request.headers.items()},
                "bytes": len(body),
            },
            headers={"Keep-Alive": "timeout=9", "ETag": '"1"'},
        )

    async def slow(_request):
        asked_for_slow.append(time.monotonic())
        await asyncio.sleep(3)
        return web.Response()

    async def stream(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await asyncio.sleep(0.4)
        await response.write(b"second")
        return response

    async def broken(request):
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        request.transport.abort()
        return response

    async def cut(request):
        request.transport.abort()
        return web.Response()

    async def refusal(_request):
        return web.json_response({"code": "seat_taken"}, status=409, reason="Conflict")

    async def cookies(_request):
        response = web.Response(status=303, headers={"Location": "/elsewhere"})
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    app = web.Application(client_max_size=10 * BODY_BYTES_MAX)
    for name, handler in locals().copy().items():
        if asyncio.iscoroutinefunction(handler):
            app.router.add_route("*", f"/api/order/{name}", handler)
    app.router.add_route("*", "/{path:.*}", echo)
    return app


@pytest.fixture(scope="module")
def upstream_port():
    port = children.free_port()
    with serving(an_upstream(), port):
        yield port


@contextlib.contextmanager
def a_gateway(kind, folder, upstreams):
    port = children.free_port()
    if kind == "python":
        with serving(create_gateway(upstreams, page="<h1>First</h1>", answer_seconds=1.0), port):
            yield f"http://127.0.0.1:{port}"
        return
    (folder / "index.html").write_text("<h1>First</h1>")
    text = nginx.render(folder, port=port, upstreams=upstreams)
    (folder / "nginx.conf").write_text(text.replace("read_timeout 30s", "read_timeout 1s"))
    child = children.spawn(["nginx", "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"])
    try:
        while not children.port_answers(port):
            assert child.poll() is None
        yield f"http://127.0.0.1:{port}"
    finally:
        children.stop(child, how=children.signal.SIGTERM, seconds=5)


@pytest.fixture(scope="module", params=KINDS)
def gateway(request, tmp_path_factory, upstream_port):
    upstreams = {
        "order": f"http://127.0.0.1:{upstream_port}",
        "payment": f"http://127.0.0.1:{children.free_port()}",
    }
    with (
        a_gateway(request.param, tmp_path_factory.mktemp("gateway"), upstreams) as address,
        httpx.Client(base_url=address) as client,
    ):
        client.kind = request.param
        yield client


def seen(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def assert_problem(answer, status, code):
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    members = answer.json()
    assert members["status"] == status
    assert members["code"] == code
    assert members["type"] == f"urn:railgate:problem:{code}"
    assert members["request_id"] == answer.headers["X-Request-Id"] != ""


def test_path_and_query_arrive_unchanged(gateway):
    path = "/api/order/runs/a%2Fb%20c/seat-map?from=DHK&to=%E0%A6%95&x=1+2"
    assert seen(gateway.get(path))["raw_path"] == path


def test_method_and_body_arrive(gateway):
    there = seen(gateway.put("/api/order/echo", content=b"x" * 70_000))
    assert (there["method"], there["bytes"]) == ("PUT", 70_000)


def test_an_answer_comes_back_with_status_and_headers(gateway):
    answer = gateway.get("/api/order/refusal")
    assert answer.status_code == 409
    assert answer.json() == {"code": "seat_taken"}
    assert gateway.get("/api/order/echo").headers["ETag"] == '"1"'


def test_a_slow_service_takes_no_connection_from_the_others(upstream_port, monkeypatch):
    monkeypatch.setattr(gateway_program, "CONNECTIONS_PER_SERVICE", 2)
    address = f"http://127.0.0.1:{upstream_port}"
    port = children.free_port()
    url = f"http://127.0.0.1:{port}/api"
    app = create_gateway({"order": address, "ticket": address}, answer_seconds=2.0)
    before = len(asked_for_slow)
    with serving(app, port), ThreadPoolExecutor(6) as people:
        slow = [people.submit(httpx.get, f"{url}/order/slow", timeout=20) for _ in range(6)]
        while len(asked_for_slow) < before + 2:
            time.sleep(0.01)
        assert httpx.get(f"{url}/ticket/echo").status_code == 200
        assert not any(answer.done() for answer in slow)


def test_redirects_and_cookies_are_passed_on_not_followed(gateway):
    answer = gateway.get("/api/order/cookies")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/elsewhere"
    assert len(answer.headers.get_list("Set-Cookie")) == 2


def test_a_head_request_has_the_length_and_no_body(gateway):
    answer = gateway.head("/api/order/refusal")
    assert answer.status_code == 409
    assert int(answer.headers["Content-Length"]) > 0
    assert answer.content == b""


def test_hop_by_hop_headers_stay_on_their_connection(gateway):
    headers = {
        "Connection": "keep-alive, X-Only-Here",
        "X-Only-Here": "1",
        "Keep-Alive": "timeout=5",
        "TE": "trailers",
        "Upgrade": "websocket",
    }
    answer = gateway.get("/api/order/echo", headers=headers)
    there = seen(answer)["headers"]
    assert not {"te", "keep-alive", "upgrade"} & there.keys()
    assert "x-only-here" not in there or gateway.kind == "nginx"
    assert answer.headers.get("Keep-Alive") != "timeout=9"


def test_the_callers_word_on_his_address_is_replaced(gateway):
    headers = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "X-Real-IP": "6.6.6.6"}
    there = seen(gateway.get("/api/order/echo", headers=headers))["headers"]
    assert there["x-forwarded-for"] == "127.0.0.1"
    assert there["x-forwarded-proto"] == "http"
    assert there["x-forwarded-host"] == gateway.base_url.netloc.decode()
    assert "6.6.6.6" not in there.values()


def test_a_good_request_id_is_kept(gateway):
    answer = gateway.get("/api/order/echo", headers={"X-Request-Id": "abc-12345"})
    assert seen(answer)["headers"]["x-request-id"] == "abc-12345"
    assert answer.headers["X-Request-Id"] == "abc-12345"


@pytest.mark.parametrize("given", ["short", "with space in it", "x" * 65, "<script>alert"])
def test_a_bad_request_id_is_replaced(gateway, given):
    answer = gateway.get("/api/order/echo", headers={"X-Request-Id": given})
    made = seen(answer)["headers"]["x-request-id"]
    assert made != given
    assert len(made) == 32
    assert answer.headers["X-Request-Id"] == made


def test_an_unknown_service_is_a_problem(gateway):
    assert_problem(gateway.get("/api/nothing/x"), 404, "unknown_service")
    assert_problem(gateway.get("/api/"), 404, "unknown_service")


def test_a_line_break_in_a_path_is_no_way_around_the_gateway(gateway):
    assert_problem(gateway.get("/api/nothing/%0Ax"), 404, "unknown_service")
    assert seen(gateway.get("/api/order/echo?x=%0A"))["headers"]["x-request-id"]


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/orders", "/api/order/../../metrics"])
def test_what_is_not_below_api_reaches_no_service(gateway, path):
    answer = gateway.get(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_service_that_is_down_is_a_problem_with_a_retry(gateway):
    answer = gateway.post("/api/payment/x")
    assert_problem(answer, 503, "service_unavailable")
    assert answer.headers["Retry-After"] == "1"


def test_a_service_that_is_too_slow_is_a_problem(gateway):
    assert_problem(gateway.get("/api/order/slow"), 504, "gateway_timeout")


def test_a_service_that_hangs_up_is_a_problem(gateway):
    answer = gateway.post("/api/order/cut")
    assert answer.status_code in {502, 503}
    assert answer.json()["code"] in {"bad_gateway", "service_unavailable"}


def test_half_an_answer_is_never_a_whole_one(gateway):
    with pytest.raises(httpx.RemoteProtocolError):
        gateway.get("/api/order/broken")


def test_an_answer_streams(gateway):
    if gateway.kind == "nginx":
        pytest.skip("nginx gathers small pieces")
    began = time.monotonic()
    with gateway.stream("GET", "/api/order/stream") as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == b"first"
        assert time.monotonic() - began < 0.35
        assert b"".join(pieces) == b"second"


def test_a_body_of_a_mebibyte_passes_and_one_byte_more_does_not(gateway):
    assert seen(gateway.put("/api/order/echo", content=b"x" * BODY_BYTES_MAX))
    answer = gateway.put("/api/order/echo", content=b"x" * (BODY_BYTES_MAX + 1))
    assert_problem(answer, 413, "body_too_large")


def test_a_body_of_unknown_length_is_bounded_too(gateway):
    pieces = (b"x" * 65_536 for _ in range(20))
    assert_problem(gateway.put("/api/order/echo", content=pieces), 413, "body_too_large")


def test_the_first_page_and_the_gateways_own_health(gateway):
    page = gateway.get("/")
    assert page.text == "<h1>First</h1>"
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert gateway.get("/healthz").json() == {"status": "ok"}


def test_a_repeatable_request_outlives_the_restart_of_a_service(tmp_path):
    port = children.free_port()
    with a_gateway("python", tmp_path, {"order": f"http://127.0.0.1:{port}"}) as address:
        late = threading.Thread(target=lambda: time.sleep(0.3))
        late.start()
        answers = []
        asking = threading.Thread(
            target=lambda: answers.append(httpx.put(f"{address}/api/order/echo", content=b"abc"))
        )
        asking.start()
        late.join()
        with serving(an_upstream(), port):
            asking.join(10)
    assert seen(answers[0])["bytes"] == 3


def test_a_request_that_may_not_be_repeated_is_refused_at_once(tmp_path):
    with a_gateway("python", tmp_path, {"order": f"http://127.0.0.1:{children.free_port()}"}) as a:
        began = time.monotonic()
        assert httpx.post(f"{a}/api/order/echo").status_code == 503
        assert time.monotonic() - began < 0.5


def test_a_request_smuggled_with_two_lengths_is_refused(gateway):
    head = (
        b"POST /api/order/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    with socket.create_connection((gateway.base_url.host, gateway.base_url.port)) as link:
        link.sendall(head)
        assert link.recv(100).split()[1] == b"400"


def test_pages_go_to_the_service_web_where_there_is_one(upstream_port, tmp_path):
    upstreams = {"web": f"http://127.0.0.1:{upstream_port}"}
    with a_gateway("python", tmp_path, upstreams) as address:
        assert httpx.get(f"{address}/orders/1").json()["raw_path"] == "/orders/1"
        assert httpx.get(f"{address}/").json()["raw_path"] == "/"
        assert httpx.get(f"{address}/metrics").status_code == 404
        assert httpx.get(f"{address}/api/web/x").status_code == 404


def test_upstreams_are_read_from_the_environment():
    environment = {"UPSTREAM_ORDER": "http://127.0.0.1:8083/", "UPSTREAM_WEB": "", "PATH": "x"}
    assert upstreams_from(environment) == {"order": "http://127.0.0.1:8083"}
