"""Telling: what happened is kept until it was told, by mail, webhook, journal or the notifications of Proxmox VE."""

from ..host import Host
from ..model import Receiver
from ..paths import Paths
from ..secret import secret_name
from ..store import Store
from .courier import Courier, receivers_of
from .ways import Ways


def make(store: Store, paths: Paths, host: Host, node: str) -> Courier:
    """The courier of one node."""

    def secret(receiver: Receiver) -> str | None:
        return store.secret(secret_name(receiver)) if receiver.password_set else None

    ways = Ways(host, node, secret)
    return Courier(paths.untold, lambda: receivers_of(store.all(Receiver), paths.on_proxmox), ways.send)
