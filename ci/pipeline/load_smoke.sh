#!/bin/sh
# A small rush on a Railgate that is started here and stopped again. The load test counts in the
# databases and fails on any seat sold twice or money that does not add up.
set -eu

make install
mkdir -p build
.venv/bin/railgate run >build/railgate.txt 2>&1 &
town=$!
trap 'kill "$town" 2>/dev/null; wait "$town" 2>/dev/null || true' EXIT
tries=0
until .venv/bin/python -c 'import httpx; httpx.get("http://127.0.0.1:8080/api/ticket/stations").raise_for_status()' 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 120 ] || { tail -50 build/railgate.txt; exit 1; }
    sleep 1
done
make load OPTIONS="${OPTIONS:---users 2000}"
make audit
