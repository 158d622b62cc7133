"""client.py: requests to a mayfly: by curl, and by a bare socket where curl cannot misbehave.

    reply = curl(url, "-H", "Accept: text/plain", body=b"a_total 1\n")
    wire = Wire(address); wire.send(b"GET /heal"); ...; reply = wire.reply()

Both give a Reply. Nothing is asserted here but that curl itself ran.
"""
import json
import os
import select
import socket
import subprocess
import tempfile
import time

PATIENCE = 60.0 if os.environ.get("MAYFLY_SANITIZED") else 20.0  # seconds; what takes longer hangs


class Headers:
    """Header or trailer lines; names in any case."""

    def __init__(self, lines=()):
        self.pairs = []
        for line in lines:
            name, _, value = line.partition(":")
            self.pairs.append((name.strip().lower(), value.strip()))

    def all(self, name):
        return [value for key, value in self.pairs if key == name.lower()]

    def get(self, name, otherwise=None):
        values = self.all(name)
        return values[-1] if values else otherwise

    def __getitem__(self, name):
        value = self.get(name)
        if value is None:
            raise KeyError(f"no header {name} in {self.pairs}")
        return value

    def __contains__(self, name):
        return bool(self.all(name))


class Reply:
    """One HTTP reply. `curl_exit` is curl's exit code, 0 for a reply read from a socket."""

    def __init__(self, status, headers, body, trailers, curl_exit=0):
        self.status = status
        self.headers = headers
        self.body = body
        self.trailers = trailers
        self.curl_exit = curl_exit

    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The error document's inner part; empty when it is no error document."""
        return self.json().get("error", {})

    @property
    def arena_peak(self):
        """The request's final figure: the trailer of a streamed reply, else the header."""
        name = "Mayfly-Arena-Peak"
        return int(self.trailers[name] if name in self.trailers else self.headers[name])

    def __repr__(self):
        return f"<{self.status} {self.headers.pairs} {self.body[:600]!r}>"


# ---- curl ----


def _replies_of(dump):
    """The last reply's status and headers, and its trailers, out of what curl dumped."""
    blocks = [block for block in dump.decode("latin-1").split("\r\n\r\n") if block.strip()]
    heads = [i for i, block in enumerate(blocks) if block.startswith("HTTP/")]
    if not heads:
        return 0, Headers(), Headers()
    lines = blocks[heads[-1]].split("\r\n")
    trailers = "\r\n".join(blocks[heads[-1] + 1:]).split("\r\n")
    return int(lines[0].split()[1]), Headers(lines[1:]), Headers(line for line in trailers if line)


def curl(url, *arguments, body=None, patience=PATIENCE):
    """Runs curl; `body` is sent with its length. What curl says of itself is in curl_exit."""
    with tempfile.TemporaryFile() as dump:
        command = ["curl", "--silent", "--globoff", "--max-time", str(patience),
                   "--dump-header", f"/dev/fd/{dump.fileno()}"]
        if body is not None:
            command += ["--data-binary", "@-"]
        run = subprocess.run(command + list(arguments) + [url], input=body or b"",
                             stdout=subprocess.PIPE, pass_fds=[dump.fileno()], check=False,
                             timeout=patience + 10)
        dump.seek(0)
        status, headers, trailers = _replies_of(dump.read())
    body = b"" if "--head" in arguments else run.stdout  # there curl prints the headers
    return Reply(status, headers, body, trailers, run.returncode)


def curl_stream(url, pieces, *arguments, patience=PATIENCE):
    """Runs curl with a chunked body without a length, made of `pieces` as they come."""
    with tempfile.TemporaryFile() as dump:
        command = ["curl", "--silent", "--globoff", "--max-time", str(patience), "--request",
                   "POST", "--dump-header", f"/dev/fd/{dump.fileno()}", "--upload-file", "-"]
        process = subprocess.Popen(command + list(arguments) + [url], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, pass_fds=[dump.fileno()])
        with process:
            try:
                for piece in pieces:
                    process.stdin.write(piece)
                process.stdin.close()
            except BrokenPipeError:
                pass
            body = process.stdout.read()
        dump.seek(0)
        status, headers, trailers = _replies_of(dump.read())
    return Reply(status, headers, body, trailers, process.returncode)


# ---- sockets ----


def request(method, target, headers=(), body=b"", length=True):
    """The bytes of a request; `length` False leaves Content-Length out."""
    lines = [f"{method} {target} HTTP/1.1", "Host: test", *headers]
    if body and length:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


class Closed(Exception):
    """The other side ended the connection before what was to be read was complete."""


class Wire:
    """A connection. `receive_bytes` is the kernel's receive buffer, for clients that do not read."""

    def __init__(self, address, receive_bytes=None, patience=PATIENCE):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(patience)
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def end_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def abort(self):
        """Closes with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_what_it_takes(self, data):
        """True when all of it went out; False when the other side had ended the connection."""
        try:
            self.socket.sendall(data)
            return True
        except (ConnectionError, socket.timeout):
            return False

    def drip(self, data, seconds_each):
        """A byte at a time until the other side has had enough. Seconds until then; None: never."""
        start = time.monotonic()
        for i in range(len(data)):
            if not self.send_what_it_takes(data[i:i + 1]) or self.is_ended(seconds_each):
                return time.monotonic() - start
        return None

    def is_readable(self, seconds):
        return bool(self.buffer) or bool(select.select([self.socket], [], [], seconds)[0])

    def is_ended(self, seconds):
        """Whether the other side closes within that time. What it sends first is kept."""
        deadline = time.monotonic() + seconds
        while select.select([self.socket], [], [], max(0, deadline - time.monotonic()))[0]:
            if not self._more():
                return True
        return False

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            return False
        self.buffer += data
        return bool(data)

    def _until(self, mark):
        while mark not in self.buffer:
            if not self._more():
                raise Closed(f"before {mark!r}; there was {self.buffer[:200]!r}")
        text, _, self.buffer = self.buffer.partition(mark)
        return text

    def _exactly(self, count):
        while len(self.buffer) < count:
            if not self._more():
                raise Closed(f"{count - len(self.buffer)} bytes before the end of the body")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def _rest(self):
        while self._more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def _chunks(self):
        body = b""
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            body += self._exactly(size)
            self._until(b"\r\n")
        trailers = []
        while line := self._until(b"\r\n"):
            trailers.append(line.decode("latin-1"))
        return body, Headers(trailers)

    def head(self):
        """The status and headers of the next reply, 100 Continue too."""
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        return int(lines[0].split()[1]), Headers(lines[1:])

    def reply(self, to_head=False):
        """The next whole reply. Raises Closed when the connection ends before it is complete."""
        status, headers = self.head()
        while status == 100:
            status, headers = self.head()
        body, trailers = b"", Headers()
        if to_head or status in (204, 304):
            pass
        elif headers.get("Transfer-Encoding") == "chunked":
            body, trailers = self._chunks()
        elif "Content-Length" in headers:
            body = self._exactly(int(headers["Content-Length"]))
        else:
            body = self._rest()
        return Reply(status, headers, body, trailers)
