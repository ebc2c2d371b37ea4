"""
One base URL for all services: forwards `/api/<service>/…` unchanged, answers for a
service that is silent, and shows the first page.

It is the edge: what a caller says about his own address is replaced, and only a path
below `/api/` reaches a service, so health and metrics stay inside. Where the machine
has nginx, nginx does the same (`railgate.nginx`).
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp
import orjson
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from railgate.edge import serve
from railgate.landing import landing_page
from railgate.nginx import become_nginx
from railgate.now_serving import Board
from railgate.problems import PAGE_HEADERS, REFUSALS
from railgate.upstreams import Upstreams

BODY_BYTES_MAX = 1024 * 1024
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 30.0
# The services keep an idle connection for 75 seconds: we are the first to close it.
IDLE_SECONDS = 30.0
# Each service has connections of its own: a slow one takes none from the others.
CONNECTIONS_PER_SERVICE = 128
# A service that is being restarted refuses connections for a second or two.
RETRY_PAUSES = (0.1, 0.4, 1.0)
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
SERVICE_PATH = re.compile(r"/api/([a-z]+)(?:[/?]|$)")
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
INSIDE_ONLY = frozenset({"/metrics", "/readyz"})
SAID_ANEW = frozenset({"host", "content-length", "expect", "forwarded", "x-real-ip"})

UPSTREAMS = web.AppKey("upstreams", Upstreams)
PAGE = web.AppKey("page", str)
BOARD = web.AppKey("board", Board)
NOW_SERVING = "/api/waitingroom/windows/{window_id:[0-9a-f-]{36}}/now-serving"
ID = web.RequestKey("request_id", str)
SESSIONS = web.AppKey("sessions", dict[str, aiohttp.ClientSession])
ANSWERED_WITHIN = web.AppKey("answered_within", float)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_gateway(
    upstreams: Mapping[str, str],
    *,
    page: str = "",
    answer_seconds: float = ANSWER_SECONDS,
    now_serving: Path | None = None,
    moves: Path | None = None,
) -> web.Application:
    """`moves` names a file that says where a service is now, when it is not where it was."""
    app = web.Application(middlewares=[_with_request_id], client_max_size=BODY_BYTES_MAX)
    app[UPSTREAMS] = Upstreams(upstreams, moves)
    app[ANSWERED_WITHIN] = answer_seconds
    app.cleanup_ctx.append(_client_sessions)
    app.router.add_get("/healthz", _healthz)
    if "web" not in upstreams:
        app[PAGE] = page
        app.router.add_get("/", _landing)
    app[BOARD] = Board(now_serving)
    app.router.add_get(NOW_SERVING, _now_serving)
    # A line break in a path, written %0A, is not a dot to a pattern.
    app.router.add_route("*", r"/{path:[\s\S]*}", _forward)
    return app


def upstreams_from(environment: Mapping[str, str]) -> dict[str, str]:
    """Read the table from UPSTREAM_ORDER=http://127.0.0.1:8083 and its like."""
    prefix = "UPSTREAM_"
    return {
        name.removeprefix(prefix).lower(): address.rstrip("/")
        for name, address in environment.items()
        if name.startswith(prefix) and address
    }


def main() -> None:
    upstreams, port = upstreams_from(os.environ), int(os.environ["PORT"])
    links = {name: os.environ.get(f"{name.upper()}_URL", "") for name in ("mail", "sandbox")}
    page = landing_page(sorted(upstreams), links)
    now_serving = Path(os.environ["NOW_SERVING_FOLDER"])
    host = os.environ.get("GATEWAY_HOST", "127.0.0.1")
    program = shutil.which("nginx")
    moves = os.environ.get("UPSTREAMS_FILE")
    if program is not None and not moves and os.environ.get("RAILGATE_GATEWAY") != "python":
        folder = Path(os.environ["GATEWAY_FOLDER"])
        become_nginx(
            program,
            folder,
            host=host,
            port=port,
            upstreams=upstreams,
            page=page,
            now_serving=now_serving,
        )
    app = create_gateway(
        upstreams, page=page, now_serving=now_serving, moves=Path(moves) if moves else None
    )
    app.on_startup.append(_reread_on_hangup)
    asyncio.run(serve(app, app[BOARD], host=host, port=port))


async def _reread_on_hangup(app: web.Application) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, app[UPSTREAMS].reread)


@web.middleware
async def _with_request_id(request: web.Request, handler: Handler) -> web.StreamResponse:
    given = request.headers.get("X-Request-Id", "")
    request[ID] = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    try:
        return await handler(request)
    except web.HTTPRequestEntityTooLarge:
        return _problem(request, "body_too_large")


async def _healthz(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"}, headers={"X-Request-Id": request[ID]})


async def _landing(request: web.Request) -> web.Response:
    return web.Response(text=request.app[PAGE], content_type="text/html", headers=PAGE_HEADERS)


async def _now_serving(request: web.Request) -> web.StreamResponse:
    """Everybody who waits asks this again and again, so the waiting room is not asked."""
    body = request.app[BOARD].body_of(request.match_info["window_id"])
    if body is None:
        return await _forward(request)
    headers = {"Cache-Control": "public, max-age=1", "X-Request-Id": request[ID]}
    return web.Response(body=body, content_type="application/json", headers=headers)


async def _forward(request: web.Request) -> web.StreamResponse:
    """Find the service, ask it, and pass on what it says or why it says nothing."""
    code, name = _upstream_of(request)
    if name not in request.app[UPSTREAMS]:
        return _problem(request, code)
    if (request.content_length or 0) > BODY_BYTES_MAX:
        return _problem(request, "body_too_large")
    body = await request.read()
    try:
        answer = await _ask(request, name, body)
    except TimeoutError:
        return _problem(request, "gateway_timeout")
    except aiohttp.ClientConnectorError:
        return _problem(request, "service_unavailable")
    except aiohttp.ClientError:
        return _problem(request, "bad_gateway")
    return await _pass_on(request, answer)


def _upstream_of(request: web.Request) -> tuple[str, str]:
    """Give the service's name; and where there is none of the name, why."""
    if request.raw_path.startswith("/api/"):
        found = SERVICE_PATH.match(request.raw_path)
        return "unknown_service", found[1] if found is not None and found[1] != "web" else ""
    return "not_found", "web" if request.path not in INSIDE_ONLY else ""


async def _ask(request: web.Request, name: str, body: bytes) -> aiohttp.ClientResponse:
    """
    Ask the service; ask again only when nothing was done yet, or doing it twice does no harm.
    A service that moved meanwhile is asked where it is now.

    Raises:
        TimeoutError, aiohttp.ClientError: the service gave no answer.
    """
    session = request.app[SESSIONS][name]
    headers = _headers_for_service(request)
    pauses = RETRY_PAUSES if request.method in IDEMPOTENT else ()
    for pause in (*pauses, None):
        url = f"{request.app[UPSTREAMS].address(name)}{request.raw_path}"
        try:
            return await session.request(
                request.method,
                URL(url, encoded=True),
                data=body or None,
                headers=headers,
                allow_redirects=False,
            )
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            if pause is None:
                raise
            await asyncio.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _headers_for_service(request: web.Request) -> CIMultiDict[str]:
    headers = _end_to_end(request.headers)
    for name in SAID_ANEW:
        headers.popall(name, None)
    headers["X-Forwarded-For"] = request.remote or ""
    headers["X-Forwarded-Proto"] = request.scheme
    headers["X-Forwarded-Host"] = request.host
    headers["X-Request-Id"] = request[ID]
    return headers


async def _pass_on(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """Stream the answer; when the service breaks off midway the caller's connection breaks too."""
    async with answer:
        headers = _end_to_end(answer.headers)
        headers["X-Request-Id"] = request[ID]
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
        await response.prepare(request)
        try:
            async for piece in answer.content.iter_any():
                await response.write(piece)
        except (aiohttp.ClientError, TimeoutError):
            if request.transport is not None:
                request.transport.abort()
            return response
        await response.write_eof()
    return response


def _end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Leave out what concerns one connection only, also what `Connection` names."""
    named = {word.strip().lower() for word in headers.get("Connection", "").split(",")}
    left_out = HOP_BY_HOP | named
    return CIMultiDict((k, v) for k, v in headers.items() if k.lower() not in left_out)


def _problem(request: web.Request, code: str) -> web.Response:
    refusal = REFUSALS[code]
    headers = {"X-Request-Id": request[ID], "Cache-Control": "no-store"}
    return web.Response(
        body=orjson.dumps(refusal.members(code, request[ID])),
        status=refusal.status,
        content_type="application/problem+json",
        headers=headers | dict(refusal.headers),
    )


async def _client_sessions(app: web.Application) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        app[SESSIONS] = {
            name: await stack.enter_async_context(_client_session(app[ANSWERED_WITHIN]))
            for name in app[UPSTREAMS].names
        }
        yield


def _client_session(answer_seconds: float) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=CONNECTIONS_PER_SERVICE, keepalive_timeout=IDLE_SECONDS
        ),
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=answer_seconds
        ),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers={"User-Agent", "Accept", "Accept-Encoding", "Content-Type"},
    )


if __name__ == "__main__":
    main()
