#!/usr/bin/env python3
"""Stands between Graft and a real store, and misbehaves.

    standin.py MODE UPSTREAM LOG [PORT]

Listens on a loopback port (a free one unless named), prints it, and appends "METHOD TARGET PORT" to LOG
for each request, the port being the caller's. UPSTREAM is the store's "http://host:port". Modes:

    pass        hands requests on (also as an HTTP proxy, whose targets are whole URLs)
    busy        the first two requests of each target get 503 and Retry-After: 1; else pass
    lose-puts   the first PUT of each target is handed on, and its answer is not; else pass
    late-puts   each PUT is handed on a second time, after its answer; else pass
    region      requests not signed for region "moon-1" are told so; else pass
    moved       301 to another endpoint, with the bucket's region
    elsewhere   301 to another endpoint, and no word of a region
    skew        403 RequestTimeTooSkewed
    drip        200, and a byte of a million every 50 ms
    mute        the connection is taken, and nothing comes
    short       GETs of objects end in the middle, lengths to match, the first time; else pass
    ranges      GETs of objects are answered whole, the first time; else pass
    html        200 and a page, as networks with a login page do
"""
import collections
import http.client
import http.server
import socketserver
import sys
import threading
import time
import urllib.parse

MODE, UPSTREAM, LOG = sys.argv[1:4]
UPSTREAM = urllib.parse.urlsplit(UPSTREAM).netloc
ERROR = '<?xml version="1.0"?><Error><Code>{}</Code><Message>said the stand-in</Message>{}</Error>'
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "proxy-connection"}
lock = threading.Lock()
seen = collections.Counter()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send_date_time_string(self):
        pass

    def answer(self, status, body=b"", headers=()):
        if isinstance(body, str):
            body = body.encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hand_on(self, body, drop=()):
        """The store's (status, headers, body) for this request."""
        parts = urllib.parse.urlsplit(self.path)
        target = parts.path + ("?" + parts.query if parts.query else "")
        host = parts.netloc or UPSTREAM
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() not in HOP_BY_HOP | {"expect"} | set(drop)}
        if body or self.command == "PUT":
            headers["Content-Length"] = str(len(body))
        upstream = http.client.HTTPConnection(host if parts.netloc else UPSTREAM, timeout=60)
        upstream.request(self.command, target, body=body, headers=headers)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        kept = [(name, value) for name, value in answer.getheaders()
                if name.lower() not in HOP_BY_HOP | {"date", "server"}]
        return answer.status, kept, content

    def relay(self, body):
        status, headers, content = self.hand_on(body)
        self.answer(status, content, headers)

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with lock:
            first = seen[self.command, self.path]
            seen[self.command, self.path] += 1
            with open(LOG, "a", encoding="utf-8") as log:
                print(self.command, self.path, self.client_address[1], file=log)
        is_object = self.command == "GET" and "list-type" not in self.path
        if MODE == "busy" and first < 2:
            self.answer(503, ERROR.format("SlowDown", ""), [("Retry-After", "1")])
        elif MODE == "lose-puts" and self.command == "PUT" and first == 0:
            self.hand_on(body)
            self.close_connection = True
        elif MODE == "late-puts" and self.command == "PUT":
            self.relay(body)
            self.hand_on(body)
        elif MODE == "region" and "/moon-1/" not in self.headers.get("Authorization", ""):
            self.answer(400, ERROR.format("AuthorizationHeaderMalformed", "<Region>moon-1</Region>"))
        elif MODE == "moved":
            self.answer(301, ERROR.format("PermanentRedirect", ""),
                        [("x-amz-bucket-region", "moon-1"), ("Location", "http://s3.moon-1.test/")])
        elif MODE == "elsewhere":
            self.answer(301, "", [("Location", "http://s3.moon-1.test/")])
        elif MODE == "skew":
            self.answer(403, ERROR.format("RequestTimeTooSkewed", ""))
        elif MODE == "html":
            self.answer(200, "<html><body>Please log in</body></html>")
        elif MODE == "drip":
            self.drip()
        elif MODE == "mute":
            time.sleep(3600)
        elif MODE == "short" and is_object and first == 0:
            status, headers, content = self.hand_on(body)
            self.answer(status, content[:len(content) // 2], headers)
        elif MODE == "ranges" and is_object and first == 0:
            # The signature covers the range, so that a neighbour's is asked for and called all.
            status, headers, content = self.hand_on(body)
            self.answer(200, content + b"more", headers)
        else:
            self.relay(body)

    def drip(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b" ")
                time.sleep(0.05)
        except OSError:
            self.close_connection = True

    do_GET = do_PUT = do_DELETE = do_HEAD = do_POST = serve


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def server_bind(self):
        """As in the base, without asking a name server what this host is called."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address


def main():
    port = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    server = Server(("127.0.0.1", port), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
