"""
The smallest transparent proxy: it tells each client who it is and where it wanted to go.

TPROXY hands it connections to foreign addresses. IP_TRANSPARENT lets it hold them; the address that the client asked for is then the
connection's own local address. A real proxy would connect there and pass the bytes on.
"""

import socket
import sys

IP_TRANSPARENT = getattr(socket, "IP_TRANSPARENT", 19)  # linux/in.h


def main():
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
        server.bind(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 12345))
        server.listen()
        while True:
            connection, client = server.accept()
            wanted = connection.getsockname()
            line = f"Intercepted connection from {client[0]}:{client[1]} destined for {wanted[0]}:{wanted[1]}"
            print(line, flush=True)
            with connection:
                connection.sendall(line.encode() + b"\n")


if __name__ == "__main__":
    main()
