"""Results of a network's steps kept from one run to the next, under what they follow from."""

from simhw.caching.store import Store, Usage

__all__ = ["Store", "Usage"]
