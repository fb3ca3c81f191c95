"""A hub on this machine: the paths that huggingface_hub asks for, over real files in memory, with ranges and ETags.

Large files (.onnx, .safetensors) are redirected to another host name, as the real hub does with its storage.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol, TypeVar
from urllib.parse import unquote, urlsplit

LARGE = (".onnx", ".safetensors")


@dataclass
class Hub:
    """What the server holds and what it was asked.

    files: {(repo, revision): {name: bytes}}. cut_at: break off that many of the coming file bodies after so many
    bytes, silent for `stall` seconds before. slow: seconds before any body.
    ranges: whether parts of a file can be asked for. lengths: whether a body's length is told before it.
    requests: every request as (method, path, headers).
    """

    url: str = ""
    files: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    cut_at: int | None = None
    cuts: int = 0
    slow: float = 0.0
    ranges: bool = True
    lengths: bool = True
    stall: float = 0.0
    released: threading.Event = field(default_factory=threading.Event)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def add(self, repo: str, files: dict[str, bytes]) -> str:
        """Put a commit into a repository; gives its hash."""
        revision = hashlib.sha1(repr(sorted((k, hashlib.sha256(v).digest()) for k, v in files.items())).encode())
        self.files[repo, revision.hexdigest()] = self.files[repo, "main"] = dict(files)
        return revision.hexdigest()

    def commit_of(self, repo: str, revision: str) -> str | None:
        files = self.files.get((repo, revision))
        names = [rev for (name, rev), each in self.files.items() if name == repo and each == files and len(rev) == 40]
        return names[-1] if files is not None and names else None

    def bodies(self) -> list[tuple[str, str | None]]:
        """The requests for bytes of files: (path, range)."""
        return [(path, headers.get("range")) for method, path, headers in self.requests if method == "GET"]


class Served(Protocol):
    """url: where it is asked. released: set when nobody waits for it any longer."""

    url: str
    released: threading.Event


AnyHub = TypeVar("AnyHub", bound=Served)


@contextmanager
def serving(hub: AnyHub, handler: type[QuietHandler]) -> Iterator[AnyHub]:
    """Answer requests on this machine, with the hub as `self.hub` of the handler."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def serve() -> AbstractContextManager[Hub]:
    return serving(Hub(), _Handler)


class QuietHandler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


class _Handler(QuietHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def _note(self) -> str:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path, {key.lower(): value for key, value in self.headers.items()}))
        return path

    def do_HEAD(self) -> None:
        self._file(self._note())

    def do_GET(self) -> None:
        self._file(self._note())

    def _file(self, path: str) -> None:
        if path.startswith("/storage/"):
            return self._body(self.hub.stored[path.removeprefix("/storage/")], {})
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if not match or not any(repo == match[1] for repo, _ in self.hub.files):
            return self._refuse("RepoNotFound")
        repo, revision, name = match.groups()
        commit = self.hub.commit_of(repo, revision)
        if commit is None:
            return self._refuse("RevisionNotFound")
        content = self.hub.files[repo, revision].get(name)
        if content is None:
            return self._refuse("EntryNotFound", {"X-Repo-Commit": commit})
        if not name.endswith(LARGE):
            git = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
            return self._body(content, {"X-Repo-Commit": commit, "ETag": f'"{git}"'})
        oid = hashlib.sha256(content).hexdigest()
        self.hub.stored[oid] = content
        self.send_response(302)
        self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/storage/{oid}")
        self.send_header("X-Repo-Commit", commit)
        self.send_header("X-Linked-ETag", f'"{oid}"')
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _body(self, content: bytes, headers: dict[str, str]) -> None:
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and self.hub.ranges:
            start = int(asked[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        rest = content[start:]
        if self.hub.lengths or self.command == "HEAD":
            self.send_header("Content-Length", str(len(rest)))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.hub.slow:
            self.hub.released.wait(self.hub.slow)
        if self.hub.cuts > 0 and self.hub.cut_at is not None:
            self.hub.cuts -= 1
            rest = rest[: self.hub.cut_at]
            self.close_connection = True
        self.wfile.write(rest)
        if self.close_connection:
            self.hub.released.wait(self.hub.stall)

    def do_POST(self) -> None:
        path = self._note()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if path == "/api/repos/create":
            asked = json.loads(body)
            repo = f"{asked['organization']}/{asked['name']}"
            if (repo, "main") not in self.hub.files:
                self.hub.add(repo, {".gitattributes": b""})
            self._json({"url": f"{self.hub.url}/{repo}", "name": repo, "id": repo})
        elif path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = [
                {
                    "path": each["path"],
                    "uploadMode": "lfs" if each["path"].endswith(LARGE) else "regular",
                    "shouldIgnore": False,
                }
                for each in json.loads(body)["files"]
            ]
            self._json({"files": files})
        elif path.endswith("/info/lfs/objects/batch"):
            objects = [
                each | {"actions": {"upload": {"href": f"{self.hub.url}/upload/{each['oid']}"}}}
                for each in json.loads(body)["objects"]
            ]
            self._json({"transfer": "basic", "objects": objects})
        elif "/commit/" in path:
            self._commit(path, [json.loads(line) for line in body.splitlines()])
        else:
            self._refuse("RepoNotFound")

    def _commit(self, path: str, lines: list[dict]) -> None:
        repo = re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path)[1]
        files = dict(self.hub.files[repo, "main"])
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.stored[value["oid"]]
            elif line["key"] == "deletedFile":
                files.pop(value["path"], None)
        commit = self.hub.add(repo, files)
        self._json({"commitUrl": f"{self.hub.url}/{repo}/commit/{commit}", "commitOid": commit})

    def do_PUT(self) -> None:
        path = self._note()
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self.hub.stored[path.removeprefix("/upload/")] = body
        self._json({})

    def _json(self, value: dict) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, code: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(404)
        for name, value in {"X-Error-Code": code, "X-Error-Message": "not here", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()
