"""What is now, for who may not wait: the storage plugin of Proxmox VE reads it, every 10 seconds, for all storages.

    status.json   {"at": UNIX TIME, "node": NAME, "shares": {"GATEWAY/SHARE": [total, available, used bytes]}}

A share that is not in it is not served by this node now. A file that is old says nothing: the engine hangs, or is away.
"""

import json
from collections.abc import Mapping

from .sources import Usage


def live_text(node: str, usages: Mapping[str, Usage], now: float) -> str:
    """The file: total is the limit, or what the file system has for the share."""
    shares = {key: [usage.total, usage.available, usage.used] for key, usage in usages.items()}
    return json.dumps({"at": int(now), "node": node, "shares": shares}, separators=(",", ":")) + "\n"
