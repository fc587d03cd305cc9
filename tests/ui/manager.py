"""Proxmox VE around the page, as far as our glue meets it: pveproxy's answers, of our own Perl on the real engine, and
the manager's classes, which `manager.js` stands in for."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from playwright.sync_api import Page, Route

from tests.pve.test_api import call

from .conftest import Gateway

HERE = Path(__file__).resolve().parent
PAGE = """<!doctype html><html lang="en"><head><title>pve</title>
<link rel="stylesheet" href="/ui/ext-6.2.0/theme.css"><link rel="stylesheet" href="/ui/ext-6.2.0/icons.css">
<script src="/ui/ext-6.2.0/ext-all.js"></script>
<script src="/manager.js"></script><script src="/ui/smb-gateway.js?ver=1"></script>
<script>Ext.onReady(() => Ext.create('PVE.StdWorkspace'));</script></head><body></body></html>
"""


@dataclass
class Manager:
    """Answers of pveproxy. Tasks are run at once; the page follows them all the same."""

    gateway: Gateway
    classes: str
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def open(self, page: Page) -> None:
        page.route("**/api2/extjs/**", self.answer)
        page.route("**/manager.js", lambda route: route.fulfill(body=self.classes, content_type="text/javascript"))
        page.route("**/manager", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
        page.goto(f"{self.gateway.browser.url}/manager")

    def answer(self, route: Route) -> None:
        asked = urlsplit(route.request.url)
        words = [unquote(word) for word in asked.path.removeprefix("/api2/extjs/nodes/").split("/")]
        param = dict(parse_qsl(asked.query) + parse_qsl(route.request.post_data or "", keep_blank_values=True))
        param.pop("_dc", None)
        if words[1] == "tasks":
            route.fulfill(json={"success": 1, "data": self.task(words[2], words[3])})
            return
        path = asked.path.split("/smbgateway/", 1)[1]
        self.asked.append((route.request.method, path, param))
        said = call(self.gateway.site.paths.socket, route.request.method, unquote(path), {**param, "node": words[0]})
        route.fulfill(json=self.shown(said))

    def shown(self, said: dict[str, Any]) -> dict[str, Any]:
        error = said["error"]
        if not error:
            if said["tasks"]:
                self.tasks[said["result"]] = said["tasks"][0]
            return {"success": 1, "data": said["result"]}
        known = error if isinstance(error, dict) else {"msg": error}
        message = {"success": 0, "message": known.get("msg") or "", "status": known.get("code") or 500}
        return message | ({"errors": known["errors"]} if known.get("errors") else {})

    def task(self, upid: str, what: str) -> Any:
        task = self.tasks[upid]
        if what == "status":
            return {"status": "stopped", "exitstatus": task["status"]}
        return [{"n": at + 1, "t": line} for at, line in enumerate(task["log"])]


def manager(gateway: Gateway, **without: str) -> Manager:
    """The manager, with a part of it cut out: `manager(gateway, createStorageEditWindow='renamed')`."""
    classes = (HERE / "manager.js").read_text()
    for old, new in without.items():
        assert old in classes
        classes = classes.replace(old, new)
    return Manager(gateway, classes)


def sent(made: Manager, verb: str, path: str) -> list[dict[str, Any]]:
    """What the page sent to one method, objects decoded."""
    found = [param for method, where, param in made.asked if (method, where) == (verb, path)]
    return [
        {key: json.loads(value) if value.startswith("{") else value for key, value in each.items()} for each in found
    ]
