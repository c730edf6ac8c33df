"""A way to an S3 server on which things go wrong: errors, dropped and cut connections, delays, in a fixed rotation."""

import http.client
import itertools
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAULTS = ("503", "drop before", "slow", "drop after", "cut", "500")
SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"


class Faulty(ThreadingHTTPServer):
    """Forwards to `port` of this machine; every `every`-th request meets the next of `FAULTS`.

    Args:
        every: 0 is never. dead: every request is answered by 503 from now on.
    """

    daemon_threads = True

    def __init__(self, port: int, every: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream, self.every, self.dead = port, every, False
        self.count, self.rotation, self.met = itertools.count(1), itertools.cycle(FAULTS), dict.fromkeys(FAULTS, 0)
        self.guard = threading.Lock()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def fault(self) -> str | None:
        with self.guard:
            if self.dead:
                return "503"
            if not self.every or next(self.count) % self.every:
                return None
            chosen = next(self.rotation)
            self.met[chosen] += 1
            return chosen

    def handle_error(self, request, client_address) -> None:
        """Connections that end early are what this is for."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self) -> None:
        body = self.body()
        fault = self.server.fault()
        if fault in ("503", "500"):
            self.answer(int(fault), {}, SLOW_DOWN)
            return
        if fault == "drop before":
            self.close_connection = True
            return
        if fault == "slow":
            time.sleep(0.5)
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "expect", "transfer-encoding")}
        upstream.request(self.command, self.path, body, headers)
        reply = upstream.getresponse()
        content = reply.read()
        length = reply.getheader("Content-Length")
        kept = {
            k: v
            for k, v in reply.getheaders()
            if k.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server")
        }
        upstream.close()
        if fault == "drop after":
            self.close_connection = True
            return
        self.answer(reply.status, kept, content, length, cut=fault == "cut" and len(content) > 1)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward

    def body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def answer(self, status, headers, content, length=None, cut=False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = self.close_connection or cut

    def log_message(self, *_) -> None:
        pass
