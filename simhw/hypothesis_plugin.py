"""What Hypothesis calls when it is imported: strategies for simhw's types, made when they are first asked for.

The entry point ``simhw = "simhw.hypothesis_plugin:register"`` of the group ``hypothesis`` names it. It lies outside of
:mod:`simhw.strategies`, so that importing Hypothesis imports none of them.
"""

from __future__ import annotations

from typing import Any


def register() -> None:
    """Register strategies, so that ``st.from_type(FloatFormat)`` and the like work without an import from here."""
    from hypothesis import strategies as st

    from simhw.accumulators import Accumulator
    from simhw.formats.block import BlockFormat
    from simhw.formats.codebook import CodebookFormat
    from simhw.formats.element import ElementFormat
    from simhw.formats.floating import FloatFormat
    from simhw.formats.integer import IntegerFormat
    from simhw.gemm.datapath import Datapath
    from simhw.pes.base import ProcessingElement

    types: dict[type, str] = {
        IntegerFormat: "integer_formats",
        FloatFormat: "float_formats",
        CodebookFormat: "codebook_formats",
        BlockFormat: "block_formats",
        ElementFormat: "element_formats",
        Accumulator: "accumulators",
        Datapath: "datapaths",
    }
    for kind, name in types.items():
        st.register_type_strategy(kind, _named(name))
    st.register_type_strategy(ProcessingElement, _processing_elements)


def _named(name: str) -> Any:
    """Return a function that imports a strategy when Hypothesis resolves its type."""

    def resolve(thing: Any) -> Any:  # noqa: ARG001
        import simhw.strategies

        return getattr(simhw.strategies, name)()

    return resolve


def _processing_elements(thing: Any) -> Any:  # noqa: ARG001
    from hypothesis import strategies as st

    from simhw.pes import get_pe, pe_names

    return st.sampled_from(pe_names()).map(get_pe)
