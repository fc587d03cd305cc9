"""At boot, before guests start: the data of shares is mounted, and shown to the containers that serve it."""

from .convergence import Convergence
from .errors import GatewayError
from .installation import Installation
from .model import Share, StorageSource
from .recovery import Recovery
from .step import Ledger
from .world import World


def mount_all(site: Installation) -> list[str]:
    """Mount what is recorded and was there before; says what could not be."""
    Recovery(site, Convergence(site)).share_mounts()
    world, said = site.world(), []
    for gateway in filter(site.runs, world.gateways.values()):
        for share in world.shares_of(gateway.name):
            if share.made and not isinstance(share.source, StorageSource):  # which its guest mounts
                said += _mount(site, world, share)
    return said


def _mount(site: Installation, world: World, share: Share) -> list[str]:
    blueprint = site.blueprint(world)
    try:
        Ledger().converge([*blueprint.storage(share), *blueprint.shown(share)])
    except (GatewayError, OSError) as error:
        return [f"share {share.key}: {error}"]
    return []
