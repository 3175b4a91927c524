"""The Docker API as bytes on a socket, for the call sequences of tools that cannot be had as themselves."""

import base64
import http.client
import io
import json
import os
import socket
import struct
import tarfile
import time
import urllib.parse

PATIENCE = 60  # seconds that an answer may take


class Connection(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def __init__(self):
        super().__init__("engine", timeout=PATIENCE)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(os.environ["SOCKET"])


class API:
    """One version of the API; an empty one has no prefix."""

    def __init__(self, version=""):
        self.prefix = "/v" + version if version else ""

    def send(self, method, path, query=None, body=None, headers=None):
        conn = Connection()
        target = self.prefix + path
        if query:
            target += "?" + urllib.parse.urlencode({k: v if isinstance(v, str) else json.dumps(v) for k, v in query.items()})
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        conn.request(method, target, body, headers)
        return conn, conn.getresponse()

    def call(self, method, path, query=None, body=None, headers=None):
        """Returns the status and the answer, read as JSON where it is that."""
        conn, answer = self.send(method, path, query, body, headers)
        data = answer.read()
        conn.close()
        try:
            return answer.status, json.loads(data)
        except ValueError:
            return answer.status, data

    def get(self, path, query=None):
        status, answer = self.call("GET", path, query)
        assert status == 200, (path, status, answer)
        return answer

    def post(self, path, query=None, body=None):
        status, answer = self.call("POST", path, query, body)
        assert status < 300, (path, status, answer)
        return answer

    def make(self, name, body):
        """Creates and starts a container and returns its id."""
        box = self.post("/containers/create", {"name": name}, body)["Id"]
        self.post("/containers/%s/start" % box)
        return box

    def remove(self, box):
        status, answer = self.call("DELETE", "/containers/%s" % box, {"force": "1", "v": "1"})
        assert status == 204, answer

    def lines(self, path, query=None):
        """Begins a stream, and gives its JSON values, one a line."""
        conn, answer = self.send("GET", path, query)
        assert answer.status == 200, answer.read()

        def each():
            for line in iter(answer.readline, b""):
                yield json.loads(line)
            conn.close()

        return each()

    def hijack(self, path, query=None, body=None):
        """Takes a connection over as the stock clients do and returns status line, content type and the socket's file."""
        data = b"" if body is None else json.dumps(body).encode()
        target = self.prefix + path + ("?" + urllib.parse.urlencode(query) if query else "")
        conn = Connection()
        conn.connect()
        conn.sock.sendall(("POST %s HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (target, len(data))).encode() + data)
        stream = conn.sock.makefile("rb")
        status = stream.readline().decode().strip()
        kind = ""
        for line in iter(stream.readline, b"\r\n"):
            key, _, value = line.decode().partition(":")
            if key.lower() == "content-type":
                kind = value.strip()
        return status, kind, conn.sock, stream


def frames(stream):
    """Reads a multiplexed stream to its end and returns both of its channels."""
    channels = {1: b"", 2: b""}
    while True:
        head = stream.read(8)
        if len(head) < 8:
            return channels[1], channels[2]
        channel, size = struct.unpack(">BxxxI", head)
        channels[channel] += stream.read(size)


def tar(**files):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return data.getvalue()


def until(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "never: " + what
        time.sleep(0.05)


def stat(header):
    return json.loads(base64.b64decode(header))


def tell(what, *values):
    print(what + ":", *(v if isinstance(v, str) else json.dumps(v, sort_keys=True) for v in values), flush=True)
