"""Tell of kernels while they are compiled: the first run of a fresh installation must not seem to hang."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def announced(tell: Callable[[str], object]) -> Iterator[None]:
    """Call ``tell("compiling NAME")`` whenever Numba starts to compile one of our kernels.

    Later processes load kernels from the disk cache, which is not a compilation.
    """
    from numba.core import event

    class Listener(event.Listener):
        def on_start(self, event: event.Event) -> None:
            kernel = event.data["dispatcher"].py_func
            if kernel.__module__.startswith("simhw."):
                tell(f"compiling {kernel.__name__} (once)")

        def on_end(self, event: event.Event) -> None:
            """Nothing: the next step of the run names itself."""

    listener = Listener()
    event.register("numba:compile", listener)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        event.unregister("numba:compile", listener)  # type: ignore[no-untyped-call]
