"""Servers that real clients can talk to, and those clients.

A Web is an HTTP server, with TLS where it is given a certificate; a Names is a DNS server that answers
every TXT question. Both say the lab's sentence, `HOST answers PEER at DESTINATION`. curl() and
dig() ask as those programs do and give back the lab's Outcome.
"""

import http.server
import os
import socket
import ssl
import struct
import threading
import time

import probe
from probe import Outcome, place

FAMILIES = (4, 6)


def shown(address, port):
    """As a person writes it, and the sentences of the lab."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


# ---- an HTTP server ----

MUCH = "0123456789abcde\n" * 65536  # what /much is: a connection of many packets both ways

class _Answer(http.server.BaseHTTPRequestHandler):
    """The sentence, and by which proxies the request came."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def do_GET(self):
        peer, dest = place(self.client_address), place(self.connection.getsockname())
        self.server.seen.append((peer, dest))
        via = self.headers.get("Via", "nobody")
        said = f"{self.server.label} answers {peer} at {dest} by way of {via}\n"
        body = (MUCH if self.path == "/much" else said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_):
        pass


def certificate(host, folder):
    """A new certificate for nobody in particular, with its key, in one file."""
    path = os.path.join(folder, "certificate.pem")
    host.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-keyout", path, "-out", path + ".crt", "-subj", "/CN=lab", "-days", "2")
    with open(path + ".crt") as made, open(path, "a") as file:
        file.write(made.read())
    return path


class Web:
    """HTTP, or HTTPS with a certificate, on some ports of a host, on all its addresses."""

    def __init__(self, host, ports=(80, 443, 8080), tls=None):
        self.servers, self.seen = [], []
        for port in ports:
            for version in FAMILIES:
                server = self._listen(host, port, version)
                server.seen, server.label = self.seen, host.name
                if tls:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(tls)
                    server.socket = context.wrap_socket(server.socket, server_side=True)
                threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
                self.servers.append(server)

    @staticmethod
    def _listen(host, port, version):
        class Listener(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6 if version == 6 else socket.AF_INET
            daemon_threads = True

            def server_bind(self):
                if version == 6:
                    self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                self.socket.bind(self.server_address)

        with host:
            return Listener(("::" if version == 6 else "0.0.0.0", port), _Answer)

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()


# ---- a DNS server ----

def answer_txt(question, text):
    """
    The answer to a DNS question whatever it is about: one TXT record with `text` (RFC 1035, 4.1).
    """
    end = question.index(b"\0", 12) + 5
    said = text.strip().encode()
    head = question[:2] + struct.pack("!HHHHH", 0x8580, 1, 1, 0, 0)
    record = struct.pack("!HHHIH", 0xC00C, 16, 1, 0, len(said) + 1) + bytes([len(said)]) + said
    return head + question[12:end] + record


class Names(probe.Echo):
    """DNS on port 53 of a host."""

    def __init__(self, host):
        super().__init__(host, (53,), (53,))

    @staticmethod
    def datagram(data, text):
        return answer_txt(data, text)

    def on_stream(self, child, peer):
        threading.Thread(target=self._answer, args=(child, peer), daemon=True).start()

    def _answer(self, child, peer):
        with child:
            child.settimeout(5)
            stream = child.makefile("rb")
            size = stream.read(2)
            if len(size) == 2:
                question = stream.read(struct.unpack("!H", size)[0])
                answer = answer_txt(question, self._line(peer, child.getsockname()))
                child.sendall(struct.pack("!H", len(answer)) + answer)


# ---- clients ----

CURL_KINDS = {0: "answer", 7: "refused", 28: "silence", 52: "closed", 55: "reset",
              56: "reset"}


def curl(host, address, port=80, user=None, timeout=5, page="", scheme="http", options=()):
    """One request of curl for a page of an address, with more of its `options`."""
    as_user = ("setpriv", "--reuid", user, "--clear-groups") if user else ()
    began = time.monotonic()
    done = host.run(*as_user, "curl", "--silent", "--show-error", "--fail", "--globoff",
                    "--noproxy", "*", "--max-time", str(timeout), *options,
                    f"{scheme}://{shown(address, port)}/{page}", check=False)
    kind = CURL_KINDS.get(done.returncode, f"error {done.returncode}")
    return Outcome(kind, done.stdout if kind == "answer" else done.stderr,
                   time.monotonic() - began)


def dig(host, address, *options, name="where.example", kind="TXT", timeout=2):
    """One question of dig to an address, by UDP unless `options` hold "+tcp"."""
    began = time.monotonic()
    done = host.run("dig", f"@{address}", "+short", "+tries=1", f"+time={timeout}", *options,
                    name, kind, check=False)
    took = time.monotonic() - began
    if done.returncode == 0 and done.stdout.strip() and ";;" not in done.stdout:
        return Outcome("answer", done.stdout.strip().strip('"'), took)
    return Outcome("refused" if "refused" in done.stdout else "silence",
                   done.stdout + done.stderr, took)
