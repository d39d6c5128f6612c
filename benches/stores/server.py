"""Serves a folder on loopback as a bucket that looks at no signature, by ranges, as fast as the machine can or as slow
as told: so many milliseconds until an answer begins, and so many megabytes a second for all answers together."""

import argparse
import http.server
import os
import pathlib
import socket
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

CHUNK = 1 << 16


class Link:
    """What all connections share: a rate, and the time at which it is free again."""

    def __init__(self, rate):
        self.rate, self.free, self.lock, self.sent = rate, 0.0, threading.Lock(), 0

    def take(self, size):
        with self.lock:
            self.sent += size
            if not self.rate:
                return
            now = time.monotonic()
            # Sleeping is coarse: what was slept too long is made up for, up to a little.
            self.free = max(self.free, now - 0.01) + size / self.rate
            wait = self.free - now
        if wait > 0.002:
            time.sleep(wait)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def find(self):
        path, _, query = self.path.partition("?")
        relative = urllib.parse.unquote(path).removeprefix("/bucket").strip("/")
        return self.server.root / relative, urllib.parse.parse_qs(query)

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)

    def answer(self, has_body):
        time.sleep(self.server.latency)
        path, query = self.find()
        if "list-type" in query:
            return self.listing(query.get("prefix", [""])[0])
        if not path.is_file():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        size = path.stat().st_size
        start, end = 0, size
        if wanted := self.headers.get("Range"):
            first, last = wanted.removeprefix("bytes=").split("-")
            start, end = int(first), min(int(last) + 1, size)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(end - start))
        self.send_header("ETag", f'"{path.stat().st_mtime_ns:x}-{size:x}"')
        self.send_header("Last-Modified", self.date_time_string(path.stat().st_mtime))
        self.end_headers()
        if has_body:
            self.wfile.flush()
            with open(path, "rb") as file:
                while start < end:
                    length = min(CHUNK, end - start)
                    self.server.link.take(length)
                    start += os.sendfile(self.connection.fileno(), file.fileno(), start, length)

    def listing(self, prefix):
        parts = []
        for path in sorted(self.server.root.rglob("*")):
            key = path.relative_to(self.server.root).as_posix()
            if path.is_file() and key.startswith(prefix):
                etag = f"{path.stat().st_mtime_ns:x}-{path.stat().st_size:x}"
                parts.append(
                    f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                    f"<ETag>&quot;{etag}&quot;</ETag><Size>{path.stat().st_size}</Size></Contents>"
                )
        body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{''.join(parts)}</ListBucketResult>".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def get_request(self):
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address


def start(root, latency_ms=0, rate_mb=0):
    """The server on a thread of its own, and its address."""
    server = Server(("127.0.0.1", 0), Handler)
    server.root = pathlib.Path(root)
    server.latency, server.link = latency_ms / 1000, Link(rate_mb * 1e6)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--rate-mb", type=float, default=0)
    given = parser.parse_args()
    _, address = start(given.root, given.latency_ms, given.rate_mb)
    print(address, flush=True)
    threading.Event().wait()
