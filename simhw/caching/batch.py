"""One batch through a network, of which only those steps run whose results are not kept yet.

Every value has an identity that says what it follows from: the input by content, weights by content, and of every step
the operator, its arguments and, of a GEMM, what the datapath does with it. So no intermediate value needs to be hashed,
and before anything runs it is known which steps are kept. Going backwards from what is wanted, a value that is kept
is read, any other is computed, and what only led to kept values is neither read nor computed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simhw.caching.entries import pack, pack_noise, pack_step, unpack, unpack_noise, unpack_step
from simhw.caching.fingerprint import Digest, Fingerprints, UnknownContentError, array_digest, surroundings
from simhw.caching.settings import settings_of, shared_settings
from simhw.caching.store import Store
from simhw.execution import Arithmetic, Step
from simhw.graph.base import Array, Graph, Node, Ref, inputs_of
from simhw.noise import Noise, leading

READ_BYTES_PER_S = 25e6
"""Half of what writing, reading and checking an entry manages: a value that takes less processor time to compute, with
what it follows from and is not kept either, is not kept. (The wall's time depends on what else runs.)"""

Identities = dict[str, Digest | None]
"""By the name of a node; None: not known, so that nothing that follows from it is kept."""


class DamagedError(Exception):
    """An entry that was there could not be read."""


@dataclass(kw_only=True)
class StepCache:
    """Where results are kept, and what is known about the contents of a network's weights.

    Attributes:
        store: the entries.
        bytes_per_s: a value is kept if computing it takes longer than its bytes at this rate; infinity: always.
        fingerprints: of the weights; one object for all datapaths of a sweep hashes each of them once.
        hits, misses: steps, on the datapath and in float, that did not run and that did; moves left out.
    """

    store: Store
    bytes_per_s: float = READ_BYTES_PER_S
    fingerprints: Fingerprints = field(default_factory=Fingerprints)
    hits: int = 0
    misses: int = 0


@dataclass(frozen=True, kw_only=True)
class Functions:
    """How the steps of a network run: in float, on the datapath, and there with what happened at the step alone."""

    reference: Callable[[Node, Mapping[str, Any]], Any]
    actual: Callable[[Node, dict[str, Any]], tuple[Any, Step | None]]


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchResult:
    """The two outputs, and of each step what happened at it and how far its output is from the reference."""

    output: Any
    reference: Any
    steps: Mapping[str, tuple[Step, Noise | None]]


@dataclass(kw_only=True, eq=False)
class _Side:
    """One of the two executions of a batch: in float, or on the datapath."""

    identities: Identities
    start: dict[str, Any]
    compute: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=dict)
    """That it takes to compute a value anew from what is kept; of values that are not kept."""


def run_batch(
    graph: Graph,
    arithmetic: Arithmetic,
    start: dict[str, Any],
    steps: Mapping[str, Step],
    functions: Functions,
    cache: StepCache,
    *,
    compare: bool,
    progress: Callable[[int], None],
) -> BatchResult:
    """Return the results of a batch; each entry that cannot be read is removed, and the batch begins anew.

    Args:
        graph, arithmetic: as for the executor.
        start: input and constants by name.
        steps: those that are no moves, by the name of the node; they are not changed.
        functions: that run a step.
        cache: read and added to.
        compare: whether the float reference runs.
        progress: called with 1 for each node.
    """
    shown = 0

    def once(index: int) -> None:
        nonlocal shown
        if index >= shown:
            shown += 1
            progress(1)

    while True:
        try:
            result = _Batch(graph, arithmetic, start, steps, functions, cache, compare).run(once)
        except DamagedError:
            continue
        cache.store.flush()
        return result


class _Batch:
    """A batch that is under way."""

    def __init__(
        self,
        graph: Graph,
        arithmetic: Arithmetic,
        start: dict[str, Any],
        steps: Mapping[str, Step],
        functions: Functions,
        cache: StepCache,
        compare: bool,
    ) -> None:
        self.graph, self.steps, self.functions, self.cache = graph, steps, functions, cache
        self.store, self.fingerprints = cache.store, cache.fingerprints
        self.actual = _Side(identities=self._identify(start, arithmetic), start=start)
        self.expected = _Side(identities=self._identify(start, None), start=start) if compare else None
        self.sides = [self.actual] if self.expected is None else [self.expected, self.actual]
        self.notes: dict[str, tuple[Step | None, Noise | None]] = {}

    def run(self, progress: Callable[[int], None]) -> BatchResult:
        """Return the results. Raises DamagedError for an entry that vanished or turned out to be damaged."""
        self._plan()
        values = [dict(side.start) for side in self.sides]
        last = self._last_uses()
        for index, node in enumerate(self.graph.nodes):
            part: Step | None = None
            for side, held in zip(self.sides, values, strict=True):
                if node.name in side.compute:
                    part = self._compute(node, side, held) or part
                elif node.name in side.read:
                    held[node.name] = self._read(side, node)
            if node.name in self.steps:
                self._note(node, part, values)
            for held in values:
                for name in last[index]:
                    held.pop(name, None)
            progress(index)
        output = self.graph.outputs[0]
        self._count()
        return BatchResult(
            output=values[-1][output],
            reference=values[0][output] if self.expected is not None else None,
            steps={name: (step, noise) for name, (step, noise) in self.notes.items() if step is not None},
        )

    def _plan(self) -> None:
        """Decide which values are computed and which are read."""
        output = self.graph.outputs[0]
        wanted = [{output} for _ in self.sides]
        for node in reversed(self.graph.nodes):
            if node.name in self.steps:
                noted, compared = self._noted(node)
                self.notes[node.name] = (noted, compared)
                if noted is None:
                    self.actual.compute.add(node.name)
                if compared is None and self.expected is not None:
                    for names in wanted:
                        names.add(node.name)
            for side, names in zip(self.sides, wanted, strict=True):
                key = side.identities[node.name]
                if node.name in side.compute or (node.name in names and (key is None or key not in self.store)):
                    side.compute.add(node.name)
                    names.update(inputs_of(node))
                elif node.name in names:
                    side.read.add(node.name)

    def _noted(self, node: Node) -> tuple[Step | None, Noise | None]:
        """Return what is kept about a step, and about its noise."""
        step = noise = None
        key = self._key("step", self.actual, node)
        if key is not None and (body := self.store.get(key)) is not None:
            step = unpack_step(body, self.steps[node.name])
        key = self._noise_key(node)
        if key is not None and (body := self.store.get(key)) is not None:
            noise = unpack_noise(body)
        return step, noise

    def _compute(self, node: Node, side: _Side, held: dict[str, Any]) -> Step | None:
        """Run a step, and keep its value if that pays; return what happened at it, on the datapath."""
        started = time.process_time()
        part = None
        if side is self.expected:
            held[node.name] = self.functions.reference(node, held)
        else:
            held[node.name], part = self.functions.actual(node, held)
        seconds = time.process_time() - started + sum(side.seconds.get(name, 0.0) for name in set(inputs_of(node)))
        side.seconds[node.name] = seconds
        value, key = held[node.name], side.identities[node.name]
        if key is None or node.name not in self.steps or not isinstance(value, np.ndarray):
            return part
        if value.nbytes <= seconds * self.cache.bytes_per_s or node.name in self.graph.outputs:
            self._put(key, pack({}, {"value": value}))
            side.seconds[node.name] = 0.0
        return part

    def _read(self, side: _Side, node: Node) -> Any:
        key = side.identities[node.name]
        assert key is not None
        body = self.store.get(key)
        if body is None:
            raise DamagedError(node.name)
        return unpack(body)[1]["value"]

    def _note(self, node: Node, part: Step | None, values: list[dict[str, Any]]) -> None:
        """Complete the notes on a step, and keep what is new about it."""
        noted, compared = self.notes[node.name]
        if noted is None:
            assert part is not None
            noted = part
            key = self._key("step", self.actual, node)
            if key is not None:
                self._put(key, pack_step(part))
        if compared is None and self.expected is not None:
            compared = Noise()
            compared.add(*(leading(held[node.name]) for held in values))
            key = self._noise_key(node)
            if key is not None:
                self._put(key, pack_noise(compared))
        self.notes[node.name] = (noted, compared)

    def _put(self, key: Digest, body: bytes | None) -> None:
        if body is not None:
            self.store.put(key, body)

    def _key(self, what: str, side: _Side, node: Node) -> Digest | None:
        identity = side.identities[node.name]
        return None if identity is None else self.fingerprints.of(what, identity)

    def _noise_key(self, node: Node) -> Digest | None:
        pair = [side.identities[node.name] for side in self.sides]
        return None if self.expected is None or None in pair else self.fingerprints.of("noise", *pair)

    def _count(self) -> None:
        ran = sum(name in self.steps for side in self.sides for name in side.compute)
        self.cache.misses += ran
        self.cache.hits += len(self.sides) * len(self.steps) - ran

    def _identify(self, start: Mapping[str, Any], arithmetic: Arithmetic | None) -> Identities:
        """Return the identity of every value, on a datapath or (None) in float."""
        inputs: list[Array] = [start[name] for name in self.graph.inputs]
        around = self.fingerprints.of(surroundings(), len(inputs[0]))
        digests = [self.fingerprints.of(around, array_digest(one)) for one in inputs]
        found: Identities = dict(zip(self.graph.inputs, digests, strict=True))
        shared = None if arithmetic is None else self._shared(arithmetic)
        for node in self.graph.nodes:
            for constant in (name for name in inputs_of(node) if name not in found):
                found[constant] = self.fingerprints.of(around, start[constant])
            try:
                settings = settings_of(node, arithmetic)
                if settings[0] == "datapath":
                    settings = (shared, *settings)
                    if shared is None:
                        raise UnknownContentError(node.name)
                found[node.name] = self.fingerprints.of(around, settings, self._arguments(node, found))
            except UnknownContentError:
                found[node.name] = None
        return found

    def _shared(self, arithmetic: Arithmetic) -> Digest | None:
        try:
            return self.fingerprints.of(shared_settings(arithmetic))
        except UnknownContentError:
            return None

    def _arguments(self, node: Node, found: Identities) -> Any:
        def of(argument: Any) -> Any:
            if isinstance(argument, Ref):
                identity = found[argument.name]
                if identity is None:
                    raise UnknownContentError(argument.name)
                return identity
            return tuple(of(item) for item in argument) if isinstance(argument, tuple) else argument

        return (of(node.args), {key: of(value) for key, value in node.kwargs.items()})

    def _last_uses(self) -> list[list[str]]:
        """Return, per node, the values that no later computation reads."""
        keep = {*self.graph.constants, *self.graph.outputs}
        dead: list[list[str]] = [[] for _ in self.graph.nodes]
        seen: set[str] = set()
        for index in range(len(self.graph.nodes) - 1, -1, -1):
            node = self.graph.nodes[index]
            computed = any(node.name in side.compute for side in self.sides)
            for name in (*(inputs_of(node) if computed else ()), node.name):
                if name not in seen and name not in keep:
                    dead[index].append(name)
                seen.add(name)
        return dead
