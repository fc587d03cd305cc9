"""The firewall of Proxmox VE before a guest: whether it lets SMB in."""

import re
from typing import Any

from .client import Proxmox

PORT = 445
MACROS = ("SMB", "SMBv3")  # by name, in any case


def closed(api: Proxmox, guest: str) -> str:
    """What is wrong, with the rule to add; empty where SMB gets through. `guest` is the path of one."""
    if not _on(api.get("/cluster/firewall/options")) or not _on(options := api.get(f"{guest}/firewall/options")):
        return ""
    if str(options.get("policy_in", "DROP")) == "ACCEPT" or any(map(_lets_in, api.get(f"{guest}/firewall/rules"))):
        return ""
    rule = f"pvesh create {guest}/firewall/rules --type in --action ACCEPT --macro SMB --enable 1"
    return f"the firewall of Proxmox VE has no rule that lets SMB in. One that does: {rule}"


def _on(options: dict[str, Any]) -> bool:
    return str(options.get("enable", 0)) == "1"


def _lets_in(rule: dict[str, Any]) -> bool:
    """Whether a rule takes connections to our port; what else it asks for (source, interface) is left aside."""
    if str(rule.get("enable", 0)) != "1":
        return False
    if rule.get("type") == "group":  # its rules are elsewhere: the benefit of the doubt
        return True
    if (rule.get("type"), rule.get("action")) != ("in", "ACCEPT"):
        return False
    macro, ports = str(rule.get("macro", "")), str(rule.get("dport", ""))
    if macro:
        return macro.lower() in [each.lower() for each in MACROS]
    return rule.get("proto", "tcp") == "tcp" and (not ports or any(map(_has_port, ports.split(","))))


def _has_port(word: str) -> bool:
    first, _, last = word.partition(":")
    return bool(re.fullmatch(r"\d+(:\d+)?", word)) and int(first) <= PORT <= int(last or first)
