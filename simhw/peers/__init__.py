"""Libraries whose casts ``simhw check`` compares with the definition: one per file, found by file name."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import pkgutil

from simhw.errors import unknown_name
from simhw.peers.base import Cast, Peer

__all__ = ["Cast", "Peer", "get_peer", "installed_version", "peer_names"]


def peer_names() -> list[str]:
    """Return the names of all libraries that can be checked, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "base")


def get_peer(name: str) -> Peer:
    """Return a library by name. Raises InputError for an unknown one."""
    if name not in peer_names():
        raise unknown_name("check target", name, [*peer_names(), "all"])
    peer: Peer = importlib.import_module(f"{__name__}.{name}").PEER
    return peer


def installed_version(peer: Peer) -> str | None:
    """Return the version of a library, None if it is not installed."""
    if importlib.util.find_spec(peer.module) is None:
        return None
    try:
        return importlib.metadata.version(peer.name)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"
