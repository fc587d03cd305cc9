"""Who is connected to a share, and with which files open (smbstatus(1)); and shutting one of them out."""

import json
from typing import Any

from ..errors import GatewayError, NotFound
from .instance import Instance


def clients(instance: Instance, share: str, path: str = "") -> list[dict[str, Any]]:
    """Who has a share open; `path` is where Samba finds its data. `id` is the process that serves the client."""
    if instance.pid() is None:
        return []
    try:
        found = json.loads(instance.inside("smbstatus", "--json") or "{}")  # where our names are known
    except (GatewayError, ValueError):
        return []
    return connected(found, share, path)


def connected(found: dict[str, Any], share: str, path: str) -> list[dict[str, Any]]:
    """The clients of a share in what smbstatus says."""
    users = {identity: session["username"] for identity, session in found.get("sessions", {}).items()}
    files = [file for file in found.get("open_files", {}).values() if file["service_path"] == path]
    return [
        {
            "id": tcon["server_id"]["pid"],
            "user": users.get(tcon["session_id"], "?"),
            "machine": tcon["machine"],
            "since": tcon["connected_at"],
            "files": _opened(files, tcon["server_id"]["pid"]),
        }
        for tcon in found.get("tcons", {}).values()
        if tcon["service"].lower() == share.lower()
    ]


def _opened(files: list[dict[str, Any]], pid: str) -> list[str]:
    """The files that a process has open; `.` is the root of the share."""
    opened = (file for file in files if any(each["server_id"]["pid"] == pid for each in file["opens"].values()))
    return sorted(file["filename"] for file in opened)


def disconnect(instance: Instance, share: str, identity: str) -> None:
    """Close a share for one client, which may come again. Raises NotFound."""
    if identity not in (each["id"] for each in clients(instance, share)):
        raise NotFound(f"nobody with the id {identity} has share {share} open", hint="it may have left by itself")
    instance.control(identity, "close-share", share)
