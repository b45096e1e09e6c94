#!/bin/sh
# The router: compiles the policy, loads the files with ip and nft, and runs the proxy.
set -e
cd "$(dirname "$0")"
out=$(mktemp -d)
"${TPC:-tpc}" compile policy.yaml -o "$out"
ip -batch "$out/policy.ip.batch"
if [ -f "$out/policy.ip6.batch" ]; then
    ip -6 -batch "$out/policy.ip6.batch"
fi
nft -f "$out/policy.nft"
rm -r "$out"
exec "${PYTHON:-python3}" listener.py 12345
