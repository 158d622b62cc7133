"""memory.py: bytes of memory a series, from mayfly's GET /memory.

    python3 memory.py http://127.0.0.1:8081/memory

Counted are the pools that live as long as a series; should none say so, those of these names.
"""
import json
import sys
import urllib.request

NAMES = ("series", "labels", "index")

request = urllib.request.Request(sys.argv[1], headers={"Accept": "application/json"})
with urllib.request.urlopen(request, timeout=10) as reply:
    pools = json.load(reply)["pools"]
held = [pool for pool in pools if pool.get("lifetime") == "series"]
held = held or [pool for pool in pools if pool["name"] in NAMES]
series = next(pool["live_objects"] for pool in pools if pool["name"] == "series")
total = sum(pool["live_bytes"] for pool in held)
print(f"mayfly a series: {total / max(series, 1):.0f} bytes live ({series} series)")
for pool in held:
    live, capacity = pool["live_bytes"], pool.get("capacity_bytes", 0)
    print(f"  {pool['name']:16} {live:12} bytes live of {capacity}")
