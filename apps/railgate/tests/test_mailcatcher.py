"""The mail catcher takes real SMTP, shows what came, and lets no mail act on the page."""

import asyncio
import smtplib
import threading
from email.message import EmailMessage

import httpx
import pytest

from railgate import children, mailbox
from railgate.mailcatcher import serve


class RunningCatcher:
    def __init__(self, folder):
        self.folder = folder
        self.smtp_port, self.http_port = children.free_port(), children.free_port()
        self.base_url = f"http://127.0.0.1:{self.http_port}"

    def __enter__(self):
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        while not children.port_answers(self.smtp_port):
            assert self._thread.is_alive()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    async def _serve(self):
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        await serve(
            self.folder,
            smtp_port=self.smtp_port,
            http_port=self.http_port,
            stopping=self._stopping,
        )

    def send(self, message, to="rahima@example.org"):
        with smtplib.SMTP("127.0.0.1", self.smtp_port) as server:
            server.send_message(message, from_addr="tickets@railgate.example", to_addrs=[to])

    def get(self, path):
        return httpx.get(self.base_url + path)

    def mails(self, query=""):
        return self.get(f"/api/mails{query}").json()["mails"]


def a_mail(subject="Your code", text="The code is 123456.", html=None):
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "Railgate <tickets@railgate.example>"
    message["To"] = "rahima@example.org"
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


@pytest.fixture
def catcher(tmp_path):
    with RunningCatcher(tmp_path / "mail") as running:
        yield running


def test_a_mail_is_listed_with_its_parts(catcher):
    catcher.send(a_mail(subject="আপনার কোড", html="<p>The code is <b>123456</b>.</p>"))
    [mail] = catcher.mails()
    assert mail["from"] == "tickets@railgate.example"
    assert mail["to"] == ["rahima@example.org"]
    assert mail["subject"] == "আপনার কোড"
    assert mail["text"].strip() == "The code is 123456."
    assert "<b>123456</b>" in mail["html"]
    assert mail["received_at"].endswith("Z")


def test_the_newest_mail_comes_first_and_the_limit_holds(catcher):
    for number in range(3):
        catcher.send(a_mail(subject=f"Mail {number}"))
    assert [mail["subject"] for mail in catcher.mails("?limit=2")] == ["Mail 2", "Mail 1"]


def test_mails_are_found_by_address_whatever_its_case(catcher):
    catcher.send(a_mail(subject="Hers"), to="Rahima@example.org")
    catcher.send(a_mail(subject="His"), to="karim@example.org")
    assert [mail["subject"] for mail in catcher.mails("?to=rahima@example.org")] == ["Hers"]


def test_a_restart_keeps_the_mails(tmp_path):
    with RunningCatcher(tmp_path) as first:
        first.send(a_mail(subject="Kept"))
        before = first.mails()
    with RunningCatcher(tmp_path) as second:
        assert second.mails() == before


def test_forgetting_removes_mails_and_files(catcher):
    catcher.send(a_mail())
    assert httpx.delete(f"{catcher.base_url}/api/mails").status_code == 204
    assert catcher.mails() == []
    assert list(catcher.folder.glob("*.eml")) == []


def test_only_the_last_mails_are_kept(catcher, monkeypatch):
    monkeypatch.setattr(mailbox, "MAILS_MAX", 2)
    for number in range(3):
        catcher.send(a_mail(subject=f"Mail {number}"))
    assert [mail["subject"] for mail in catcher.mails()] == ["Mail 2", "Mail 1"]
    assert len(list(catcher.folder.glob("*.eml"))) == 2


def test_a_hostile_subject_is_text_on_every_page(catcher):
    catcher.send(a_mail(subject="<script>alert(1)</script>", text="<img src=x onerror=alert(1)>"))
    mail_id = catcher.mails()[0]["mail_id"]
    for path in ("/", f"/mails/{mail_id}"):
        page = catcher.get(path)
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]


def test_the_html_of_a_mail_is_shown_in_a_sandbox_without_scripts(catcher):
    catcher.send(a_mail(html="<script>alert(1)</script><p>Hello</p>"))
    mail_id = catcher.mails()[0]["mail_id"]
    assert f'<iframe sandbox src="/mails/{mail_id}/html"' in catcher.get(f"/mails/{mail_id}").text
    policy = catcher.get(f"/mails/{mail_id}/html").headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'")


def test_an_attachment_is_downloaded_under_a_harmless_name(catcher):
    message = a_mail()
    name = 'a"b/../é.pdf'
    message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename=name)
    catcher.send(message)
    mail_id = catcher.mails()[0]["mail_id"]
    file = catcher.get(f"/mails/{mail_id}/attachments/0")
    assert file.content == b"%PDF-1.7"
    assert file.headers["Content-Type"] == "application/octet-stream"
    assert file.headers["Content-Disposition"] == 'attachment; filename="a_b_..__.pdf"'


def test_a_mail_with_a_false_charset_is_shown_with_marks(catcher):
    catcher.send(a_mail())
    raw = b"Subject: odd\r\nContent-Type: text/plain; charset=nonsense\r\n\r\ncaf\xe9\r\n"
    with smtplib.SMTP("127.0.0.1", catcher.smtp_port) as server:
        server.sendmail("a@example.org", ["b@example.org"], raw)
    assert catcher.mails()[0]["text"].startswith("caf")
    assert catcher.get("/").status_code == 200


def test_unknown_mails_are_not_found(catcher):
    for path in ("/mails/none", "/mails/none/html", "/mails/none/attachments/0"):
        assert catcher.get(path).status_code == 404
