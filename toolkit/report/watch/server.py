"""The page and what it asks for, served on the loopback address alone, to those who have the token.

Every request has the token in its address, a `Host` of this server (so that no foreign name that
resolves here reads along) and, where a page sends it, this server as its `Origin`.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from toolkit.base.errors import ToolkitError
from toolkit.base.plain import finite
from toolkit.report.watch import control
from toolkit.report.watch.changes import Changes, curves
from toolkit.report.watch.page import render_page
from toolkit.report.watch.runs import Runs

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
EVERY_S = 1.0
"""How often runs are looked at for one who watches them."""
QUIET_S = 15.0
"""After so long without news a line is sent, so that a reader who is gone is noticed."""
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
    " img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)


class WatchServer(ThreadingHTTPServer):
    """Serves the page; close it with `close`.

    Args:
        roots: run folders, or folders of runs.
        port: to listen on; 0 for any that is free.

    Attributes:
        address: the page's own, with the token in it.
    """

    daemon_threads = True

    def __init__(self, roots: Sequence[Path], port: int = 0) -> None:
        super().__init__((HOST, port), _Handler)
        self.runs = Runs(roots)
        self.token = secrets.token_urlsafe(24)
        self.ending = threading.Event()

    @property
    def hosts(self) -> tuple[str, str]:
        """Names by which this server is asked."""
        return f"{HOST}:{self.server_port}", f"localhost:{self.server_port}"

    @property
    def address(self) -> str:
        return f"http://{self.hosts[0]}/?token={self.token}"

    def close(self) -> None:
        """Ends serving, and what is still being followed."""
        self.ending.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: WatchServer

    def do_GET(self) -> None:
        self._answer({
            "/": self._page,
            "/runs": self._runs,
            "/events": self._events,
            "/curves": self._curves,
            "/report": self._report,
            "/command": self._command,
        })  # fmt: skip

    def do_POST(self) -> None:
        self._answer({"/stop": self._stop, "/go-on": self._go_on}, acting=True)

    def _answer(self, pages: Mapping[str, Callable[[], None]], acting: bool = False) -> None:
        split = urlsplit(self.path)
        self.query = parse_qs(split.query)
        if not self._is_allowed(acting):
            self._send("This address is not for you.", "text/plain", HTTPStatus.FORBIDDEN)
            return
        page = pages.get(split.path)
        if page is None:
            self._send("There is no such page.", "text/plain", HTTPStatus.NOT_FOUND)
            return
        try:
            page()
        except ToolkitError as error:
            self._json({"error": error.message, "hint": error.hint}, HTTPStatus.CONFLICT)
        except (BrokenPipeError, ConnectionResetError):
            pass  # Who asked is gone.
        except Exception as error:  # The page goes on, whatever lies in one of the folders.
            logger.exception("The page cannot be answered.")
            said = {"error": f"{type(error).__name__}: {error}", "hint": ""}
            self._json(said, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _is_allowed(self, acting: bool) -> bool:
        """Whether a request is from the page; one that acts must say that it is."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        if host not in self.server.hosts or origin not in (None, f"http://{host}"):
            return False
        if acting and origin is None:
            return False
        return hmac.compare_digest(self._first("token").encode(), self.server.token.encode())

    def _first(self, name: str) -> str:
        return self.query.get(name, [""])[0]

    def _folder(self) -> Path:
        folder = self.server.runs.folder(self._first("id"))
        if folder is None:
            raise ToolkitError("There is no such run below what is watched.")
        return folder

    def _page(self) -> None:
        self._send(render_page(), "text/html")

    def _runs(self) -> None:
        self._json(self.server.runs.listed())

    def _curves(self) -> None:
        texts = self._first("numbers").split(",")
        self._json(
            curves(
                self._folder(), [int(text) for text in texts if text.isdecimal() and len(text) < 19]
            )
        )

    def _report(self) -> None:
        from toolkit.report import render
        from toolkit.report.facts import read_facts

        self._send(render(read_facts(self._folder())), "text/html")

    def _command(self) -> None:
        self._json({"command": control.command(self._folder())})

    def _stop(self) -> None:
        self._json({"pid": control.stop(self._folder())})

    def _go_on(self) -> None:
        self._json({"pid": control.go_on(self._folder())})

    def _events(self) -> None:
        """Tells all there is of each run, then what changes, until the reader goes."""
        names = [name for name in self._first("ids").split(",") if name]
        folders = {name: self.server.runs.folder(name) for name in names}
        watched = {name: Changes(folder) for name, folder in folders.items() if folder is not None}
        self._head("text/event-stream", HTTPStatus.OK)
        quiet = 0.0
        while not self.server.ending.is_set():
            for name, changes in watched.items():
                while (news := _next(changes)) is not None:
                    self._tell({"id": name, **news})
                    quiet = 0.0
                    if not news["more"]:
                        break
            if quiet >= QUIET_S:
                self.wfile.write(b": still here\n\n")
                self.wfile.flush()
                quiet = 0.0
            self.server.ending.wait(EVERY_S)
            quiet += EVERY_S

    def _tell(self, content: Mapping[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(finite(content))}\n\n".encode())
        self.wfile.flush()

    def _json(self, content: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(finite(content)), "application/json", status)

    def _send(self, text: str, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        body = text.encode("utf-8", "backslashreplace")
        self._head(kind, status, len(body))
        self.wfile.write(body)

    def _head(self, kind: str, status: HTTPStatus, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keeps the token out of logs."""


def _next(changes: Changes) -> dict[str, Any] | None:
    """What is new of a run, or what is wrong with its ledger, once."""
    try:
        return changes.next()
    except ToolkitError as error:
        logger.warning("%s", error)
        return None
