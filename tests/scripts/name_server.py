"""Run within a pod: answers DNS for one name with 127.0.0.1, and HTTPS as an empty Prometheus. Prints what is asked.

python name_server.py NAME CERTIFICATE KEY
"""

import http.server
import socketserver
import ssl
import struct
import sys
import threading

A, IN = 1, 1
NO_SUCH_NAME = 3


def asked(query: bytes) -> tuple[str, int, int]:
    """The name in a query, its type, and where the question ends."""
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode())
        at += 1 + length
    (kind,) = struct.unpack_from("!H", query, at + 1)
    return ".".join(labels), kind, at + 5


class Names(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        query, server = self.request
        name, kind, end = asked(query)
        is_known = name.lower() == sys.argv[1]
        answer = b""
        if is_known and kind == A:
            answer = struct.pack("!HHHIH4B", 0xC00C, A, IN, 60, 4, 127, 0, 0, 1)
        flags = 0x8400 | (0 if is_known else NO_SUCH_NAME)
        head = query[:2] + struct.pack("!HHHHH", flags, 1, 1 if answer else 0, 0, 0)
        server.sendto(head + query[12:end] + answer, self.client_address)
        print(f"dns {name}", flush=True)


class Prometheus(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.do_GET()

    def do_GET(self) -> None:
        answer = b'{"status": "success", "data": {"resultType": "matrix", "result": []}}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        print(f"https {self.path}", flush=True)

    def log_message(self, *arguments: object) -> None:
        pass


def main() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[2], sys.argv[3])
    names = socketserver.UDPServer(("127.0.0.1", 53), Names)
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 9090), Prometheus)
    served.socket = tls.wrap_socket(served.socket, server_side=True)
    threading.Thread(target=names.serve_forever, daemon=True).start()
    print("ready", flush=True)
    served.serve_forever()


if __name__ == "__main__":
    main()
