"""A hub that lies: what it says of a file, what it sends, and how slowly, are three different things."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field

from hub_server import QuietHandler, serving

COMMIT = "c" * 40


@dataclass
class LyingHub:
    """told: headers of every answer to HEAD, over truthful ones. body: what comes, again and again where `endless`.

    pause: seconds between bytes of the body, which then come one by one. status, headers: of the answer to GET.
    sent: how many bytes went out.
    """

    url: str = ""
    told: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    endless: bool = False
    pause: float = 0.0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    sent: int = 0
    asked: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


def serve_lies() -> AbstractContextManager[LyingHub]:
    return serving(LyingHub(), _Handler)


class _Handler(QuietHandler):
    hub: LyingHub

    def do_HEAD(self) -> None:
        self.hub.asked.append(f"HEAD {self.path}")
        self.send_response(200)
        told = {"ETag": '"0123456789abcdef"', "X-Repo-Commit": COMMIT, "Content-Length": str(len(self.hub.body))}
        for name, value in {**told, **self.hub.told}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()

    def do_GET(self) -> None:
        self.hub.asked.append(f"GET {self.path}")
        self.send_response(self.hub.status)
        for name, value in self.hub.headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):  # whoever asked had enough
            self._send()

    def _send(self) -> None:
        pieces = [bytes([value]) for value in self.hub.body] if self.hub.pause else [self.hub.body]
        limit = time.monotonic() + 60
        while True:
            for piece in pieces:
                self.wfile.write(piece)
                self.hub.sent += len(piece)
                if self.hub.pause and self.hub.released.wait(self.hub.pause):
                    return
            if not self.hub.endless or time.monotonic() > limit:
                return
