"""
A mail server that delivers nothing: it keeps the last mails in memory and on disk and
shows them on a page. For one machine only; it believes every sender.
"""

import asyncio
import os
import signal
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from railgate.landing import pages
from railgate.mailbox import Mail, Mailbox

LIMIT_DEFAULT = 50
MAIL_BYTES_MAX = 10 * 1024 * 1024
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A mail's HTML was written by anybody: no script, no form, no request to anywhere.
MAIL_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
MAILBOX = web.AppKey("mailbox", Mailbox)


class Catcher:
    """What the SMTP server asks when a mail has come in."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(  # noqa: N802 - the SMTP library calls it so
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content or b""
        self._mailbox.keep(
            sender=envelope.mail_from or "",
            recipients=list(envelope.rcpt_tos),
            content=content.encode() if isinstance(content, str) else content,
            now=datetime.now(UTC),
        )
        return "250 Kept"


def create_pages(mailbox: Mailbox) -> web.Application:
    app = web.Application(middlewares=[_with_policy])
    app[MAILBOX] = mailbox
    app.router.add_get("/", _list_page)
    app.router.add_get("/refresh.js", _refresh_script)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/mails/{mail_id}", _mail_page)
    app.router.add_get("/mails/{mail_id}/html", _mail_html)
    app.router.add_get("/mails/{mail_id}/source", _mail_source)
    app.router.add_get("/mails/{mail_id}/attachments/{number:[0-9]+}", _attachment)
    app.router.add_get("/api/mails", _mails)
    app.router.add_delete("/api/mails", _forget)
    return app


async def serve(
    folder: Path,
    *,
    smtp_port: int,
    http_port: int,
    stopping: asyncio.Event,
    host: str = "127.0.0.1",
) -> None:
    """Serve both until told to stop."""
    mailbox = Mailbox(folder)
    catcher = Catcher(mailbox)
    runner = web.AppRunner(create_pages(mailbox), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, host, http_port).start()
    loop = asyncio.get_running_loop()
    smtp = await loop.create_server(
        lambda: SMTP(
            catcher, data_size_limit=MAIL_BYTES_MAX, enable_SMTPUTF8=True, hostname="mail"
        ),
        host,
        smtp_port,
    )
    await stopping.wait()
    smtp.close()
    await runner.cleanup()


async def main() -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    folder = Path(os.environ["MAIL_FOLDER"])
    ports = int(os.environ["SMTP_PORT"]), int(os.environ["PORT"])
    await serve(
        folder,
        smtp_port=ports[0],
        http_port=ports[1],
        stopping=stopping,
        host=os.environ.get("MAIL_HOST", "127.0.0.1"),
    )


@web.middleware
async def _with_policy(request: web.Request, handler) -> web.StreamResponse:  # type: ignore[no-untyped-def]  # noqa: ANN001
    response: web.StreamResponse = await handler(request)
    response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


async def _list_page(request: web.Request) -> web.Response:
    mails = request.app[MAILBOX].newest(to=request.query.get("to"), limit=_limit(request))
    return _page("mails.html", mails=mails, to=request.query.get("to", ""))


async def _mail_page(request: web.Request) -> web.Response:
    mail = _mail(request)
    return _page("mail.html", mail=mail, attachments=mail.attachments)


async def _mail_html(request: web.Request) -> web.Response:
    response = web.Response(text=_mail(request).html or "", content_type="text/html")
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    return response


async def _mail_source(request: web.Request) -> web.Response:
    return web.Response(body=_mail(request).content, content_type="text/plain", charset="utf-8")


async def _attachment(request: web.Request) -> web.Response:
    """Hand the file over as a download, never as something the browser shows."""
    attachments = _mail(request).attachments
    number = int(request.match_info["number"])
    if number >= len(attachments):
        raise web.HTTPNotFound
    part: EmailMessage = attachments[number]
    response = web.Response(
        body=part.get_payload(decode=True), content_type="application/octet-stream"
    )
    name = part.get_filename() or f"attachment-{number}"
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
    response.headers["Content-Disposition"] = f'attachment; filename="{safe}"'
    return response


async def _mails(request: web.Request) -> web.Response:
    mails = request.app[MAILBOX].newest(to=request.query.get("to"), limit=_limit(request))
    return web.json_response({"mails": [mail.as_json() for mail in mails]})


async def _forget(request: web.Request) -> web.Response:
    request.app[MAILBOX].forget_all()
    return web.Response(status=204)


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _refresh_script(_request: web.Request) -> web.Response:
    script, _, _ = pages.loader.get_source(pages, "refresh.js")  # type: ignore[union-attr]
    return web.Response(text=script, content_type="text/javascript")


def _mail(request: web.Request) -> Mail:
    mail = request.app[MAILBOX].find(request.match_info["mail_id"])
    if mail is None:
        raise web.HTTPNotFound
    return mail


def _limit(request: web.Request) -> int:
    given = request.query.get("limit", "")
    return int(given) if given.isdecimal() else LIMIT_DEFAULT


def _page(name: str, **members: object) -> web.Response:
    return web.Response(text=pages.get_template(name).render(members), content_type="text/html")


if __name__ == "__main__":
    asyncio.run(main())
