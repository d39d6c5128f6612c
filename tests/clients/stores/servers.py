"""The servers of this check: an S3 server that verifies signatures, Azurite, and a proxy that misbehaves as told."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time
from email.utils import formatdate

# Beside the environment of this check, so that they are installed once.
FOLDER = pathlib.Path(sys.prefix).parent
KEY, SECRET = "AKIATEST", "hunter2-secret-of-the-check"
# Azurite's published account.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def s3_server():
    """The program, compiled if need be; nothing where that is not possible."""
    program = FOLDER / "s3s" / "bin" / "s3s-fs"
    if not program.exists():
        cargo = shutil.which("cargo")
        install = ["install", "s3s-fs", "--version", "0.14.1", "--features", "binary", "--root", FOLDER / "s3s"]
        if not cargo or subprocess.run([cargo, *install, "--target-dir", FOLDER / "s3s" / "build"]).returncode != 0:
            return None
        shutil.rmtree(FOLDER / "s3s" / "build", ignore_errors=True)
    return program


def azurite():
    """The program, installed if need be; nothing where that is not possible."""
    program = FOLDER / "azurite" / "node_modules" / ".bin" / "azurite-blob"
    if not program.exists():
        npm = shutil.which("npm")
        install = ["install", "--no-audit", "--no-fund", "--prefix", FOLDER / "azurite", "azurite@3.35.0"]
        if not npm or subprocess.run([npm, *install]).returncode != 0:
            return None
    return program


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def started(command, port, log):
    with open(log, "wb") as output:
        process = subprocess.Popen([str(word) for word in command], stdout=output, stderr=output)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None, pathlib.Path(log).read_text()
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def s3(program, root, log):
    """Serves the folders below `root` as buckets; objects are files there."""
    port = free_port()
    command = [program, "--access-key", KEY, "--secret-key", SECRET, "--host", "127.0.0.1", "--port", port, root]
    with started(command, port, log):
        yield port


@contextlib.contextmanager
def blobs(program, root, log):
    port = free_port()
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", port, "--location", root, "--skipApiVersionCheck"]
    with started(command, port, log):
        yield port


def make_container(port, name):
    """What the command never does: a container is made by whoever owns the account."""
    date = formatdate(usegmt=True)
    headers = f"x-ms-date:{date}\nx-ms-version:2021-08-06\n"
    resource = f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    text = "PUT" + "\n" * 12 + headers + resource
    signature = base64.b64encode(hmac.new(base64.b64decode(ACCOUNT_KEY), text.encode(), hashlib.sha256).digest())
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(
        "PUT",
        f"/{ACCOUNT}/{name}?restype=container",
        headers={
            "x-ms-date": date,
            "x-ms-version": "2021-08-06",
            "Authorization": f"SharedKey {ACCOUNT}:{signature.decode()}",
            "Content-Length": "0",
        },
    )
    answer = connection.getresponse()
    assert answer.status == 201, (answer.status, answer.read())


class Request:
    def __init__(self, head, body, number):
        self.head, self.body, self.number = head, body, number
        self.method, self.target = head.split(b"\r\n")[0].decode().split(" ")[:2]


class Proxy:
    """Passes requests on unchanged, which leaves signatures valid, unless `mood` says something else.

    A mood is None, or ("status", code, body), ("delay", seconds), ("half",) of the answer, ("die",) in the midst of the
    request.
    """

    def __init__(self, upstream):
        self.upstream, self.mood, self.requests = upstream, lambda request: None, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def behave(self, mood=lambda request: None):
        self.mood, self.requests = mood, []

    def serve(self):
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=self.converse, args=(connection,), daemon=True).start()

    def converse(self, connection):
        with connection, connection.makefile("rb") as reader, contextlib.suppress(OSError):
            while True:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = reader.readline()
                    if not line:
                        return
                    head += line
                fields = dict(
                    line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line
                )
                request = Request(head, b"", len(self.requests))
                self.requests.append(request)
                length = int(fields.get(b"content-length", 0))
                mood = self.mood(request)
                if mood and mood[0] == "die":
                    reader.read(length // 2)
                    return
                request.body = reader.read(length)
                if mood and mood[0] == "delay":
                    time.sleep(mood[1])
                if mood and mood[0] == "status":
                    body = mood[2].encode()
                    connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (mood[1], len(body)) + body)
                    continue
                answer = self.passed_on(request)
                if mood and mood[0] == "half":
                    connection.sendall(answer[: (answer.index(b"\r\n\r\n") + 4 + len(answer)) // 2])
                    return
                connection.sendall(answer)
                if b"connection: close" in answer.split(b"\r\n\r\n")[0].lower():
                    return

    def passed_on(self, request):
        with socket.create_connection(("127.0.0.1", self.upstream)) as server:
            server.sendall(request.head[:-2] + b"Connection: close\r\n\r\n" + request.body)
            answer = b""
            while part := server.recv(1 << 20):
                answer += part
            return answer
