"""Clusters: how one is, an address to a node, a node without addresses."""

from fastapi import FastAPI
from pydantic import Field
from starlette.responses import Response

from ..clusters import Clusters
from ..engine import Engine
from ..fields import Address, NodeName
from .answers import Answer
from .bodies import Strict


class MemberState(Strict):
    """A member as the one that was asked sees it."""

    node: str
    address: str = Field(description="in the network of the members")
    state: str = Field(description="healthy, unhealthy, recovering, drained, unreachable, banned, stopped, or unknown")
    leader: bool
    addresses: list[str] = Field(description="of clients, that it has now")
    why: str = Field(description="why it does not serve: told by itself only")
    version: str = Field(description="of the Samba that is installed there; empty where its engine has not told it")


class AddressState(Strict):
    """An address that moves."""

    address: str
    node: str = Field(description="empty where no member has it")


class ClusterStatus(Strict):
    """A cluster as it is."""

    name: str
    members: list[MemberState]
    addresses: list[AddressState]


class Move(Strict):
    """An address, and where to."""

    address: Address
    node: NodeName


class Drain(Strict):
    """A node, and whether it shall be without addresses."""

    node: NodeName
    drained: bool = True


def add_clusters(app: FastAPI, engine: Engine) -> None:
    """Add the routes."""
    clusters = Clusters(engine.site)

    @app.get("/v1/clusters/{name}", response_model=ClusterStatus, summary="Members and addresses of a cluster")
    def show_cluster(name: str) -> Response:
        return Answer(clusters.status(name))

    @app.post("/v1/clusters/failover", response_model=ClusterStatus, summary="Move an address to a node")
    def failover(move: Move) -> Response:
        return Answer(clusters.move(move.address, move.node))

    @app.post("/v1/clusters/drain", response_model=ClusterStatus, summary="Move all addresses away from a node")
    def drain(order: Drain) -> Response:
        """It gets none until `drained` is false, or its ctdbd starts anew."""
        return Answer(clusters.drain(order.node, order.drained))
