"""What the cluster of the tests serves."""

from typing import Any

from lab.cluster import PUBLIC, SHARED, Lab

PASSWORD = "Open-Sesame-1"
ADDRESSES = [f"{PUBLIC}.10{number}" for number in range(3)]


def share(name: str) -> dict[str, Any]:
    source = {"kind": "directory", "path": f"{SHARED}/{name}", "shared": True}
    return {"kind": "share", "name": name, "gateway": "files", "source": source, "access": {"alice": "write"}}


def records(lab: Lab) -> list[dict[str, Any]]:
    return [lab.gateway(), {"kind": "user", "name": "alice", "password": PASSWORD}, share("docs")]


def smb(lab: Lab, address: str, commands: str, share: str = "docs", user: str = "alice") -> str:
    """What smbclient says on the client's side."""
    login = ("-U", f"{user}%{PASSWORD}", "--configfile=/dev/null")
    return lab.client.run("smbclient", f"//{address}/{share}", *login, "-c", commands, check=False)
