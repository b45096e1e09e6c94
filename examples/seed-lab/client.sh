#!/bin/sh
# The client: its gateway is the router; it connects to the foreign address and prints what it reads.
set -e
ip route replace default via "${ROUTER:-10.10.10.1}"
for _ in 1 2 3 4 5 6 7 8 9 10; do
    if "${PYTHON:-python3}" -c '
import socket, sys
with socket.create_connection((sys.argv[1], 80), timeout=2) as connection:
    print(connection.makefile().read().strip())
' "${FOREIGN:-203.0.113.8}" 2>/dev/null; then
        exit 0
    fi
    sleep 0.5
done
echo "no answer from ${FOREIGN:-203.0.113.8}; see what the router says" >&2
exit 1
