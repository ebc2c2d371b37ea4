"""The gateway answers what number is served; only where it knows nothing the service is asked."""

import contextlib
import shutil
import time
import uuid

import httpx
import pytest
from aiohttp import web

from railgate import children, nginx
from railgate.gateway import create_gateway
from railgate.now_serving import Board

# Fixed: parallel test processes must name their tests alike.
WINDOW = "6f1c2b1e-2a53-4c0e-9f7b-0d6a5c1e8b42"
PATH = "/api/waitingroom/windows/{}/now-serving"
# What the answer's max-age says, and a little.
MOMENT_SECONDS = 1.1
KINDS = ["python", *(["nginx"] if shutil.which("nginx") else [])]


@contextlib.contextmanager
def serving(app, port):
    """Serve an aiohttp application in a thread until the block ends."""
    import asyncio
    import threading

    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def start():
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        ready.set()
        return runner

    def run():
        runner = loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


@pytest.fixture
def folder(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "now-serving").mkdir()
    (tmp_path / "now-serving" / f"{WINDOW}.json").write_text('{"serving":7}')
    return tmp_path / "now-serving"


@pytest.fixture(params=KINDS)
def client(request, folder, tmp_path):
    asked = []

    async def waitingroom(asking):
        asked.append(asking.path)
        return web.json_response({"serving": 1}, headers={"Cache-Control": "public, max-age=1"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", waitingroom)
    service, port = children.free_port(), children.free_port()
    upstreams = {"waitingroom": f"http://127.0.0.1:{service}"}
    with serving(app, service), contextlib.ExitStack() as stack:
        if request.param == "python":
            stack.enter_context(serving(create_gateway(upstreams, now_serving=folder), port))
        else:
            text = nginx.render(tmp_path, port=port, upstreams=upstreams, now_serving=folder)
            (tmp_path / "nginx.conf").write_text(text)
            words = ["nginx", "-e", "stderr", "-p", tmp_path, "-c", tmp_path / "nginx.conf"]
            child = children.spawn(words)
            stack.callback(children.stop, child, how=children.signal.SIGTERM, seconds=5)
            while not children.port_answers(port):
                assert child.poll() is None
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
            http.asked = asked
            yield http


def test_waiting_costs_the_service_nothing(client):
    answers = [client.get(PATH.format(WINDOW)) for _ in range(20)]
    assert {answer.text for answer in answers} == {'{"serving":7}'}
    assert client.asked == []
    answer = answers[0]
    assert answer.headers["Cache-Control"] == "public, max-age=1"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Request-Id"]


def test_what_is_published_is_answered_within_a_moment(client, folder):
    client.get(PATH.format(WINDOW))
    fresh = folder / "fresh"
    fresh.write_text('{"serving":8}')
    fresh.replace(folder / f"{WINDOW}.json")
    time.sleep(MOMENT_SECONDS)
    assert client.get(PATH.format(WINDOW)).json() == {"serving": 8}


def test_where_nothing_is_published_the_waiting_room_is_asked(client):
    other = str(uuid.uuid4())
    assert client.get(PATH.format(other)).json() == {"serving": 1}
    assert client.asked == [PATH.format(other)]


def test_whoever_asks_whether_it_changed_gets_it_whole(client):
    """A file's clock has whole seconds: what is written twice in one would be called unchanged."""
    first = client.get(PATH.format(WINDOW))
    assert {"etag", "last-modified"}.isdisjoint(first.headers)
    later = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60))
    again = client.get(PATH.format(WINDOW), headers={"If-Modified-Since": later})
    assert (again.status_code, again.text) == (200, '{"serving":7}')


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_what_is_no_question_goes_to_the_waiting_room(client, method):
    answer = client.request(method, PATH.format(WINDOW), content=b"x" * 100_000)
    assert answer.json() == {"serving": 1}
    assert client.asked == [PATH.format(WINDOW)]


@pytest.mark.parametrize("window_id", ["..%2f" * 12, "%2e" * 36, "." * 36, f"../{WINDOW}"])
def test_no_other_file_is_ever_answered(client, folder, window_id):
    (folder.parent / f"{WINDOW}.json").write_text("secret")
    assert "secret" not in client.get(PATH.format(window_id)).text


def test_a_board_without_a_folder_or_files_knows_nothing(tmp_path):
    assert Board(None).body_of(WINDOW) is None
    assert Board(tmp_path / "missing").body_of(WINDOW) is None
