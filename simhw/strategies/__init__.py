"""Hypothesis strategies for numeric formats and datapaths: the inputs at which arithmetic goes wrong.

Formats, their codes, values on and beside every boundary, blocks with extreme spread, GEMM operands that stress an
accumulator, accumulators and datapaths. Failing cases shrink to narrow formats, few products and simple codes::

    from hypothesis import given
    from simhw.strategies import float_formats, values

    @given(float_formats().flatmap(lambda fmt: st.tuples(st.just(fmt), values(fmt))))
    def test_my_cast(case):
        fmt, value = case
        ...

With the package installed, ``st.from_type(FloatFormat)``, ``st.from_type(Datapath)`` and the like work without an
import from here (an entry point registers them). The deterministic counterpart is :mod:`simhw.testing`.

Needs Hypothesis: ``pip install simhw[test]``.
"""

try:
    import hypothesis as _hypothesis
except ImportError as error:
    raise ImportError("simhw.strategies needs Hypothesis, which is not installed; pip install simhw[test]") from error

from simhw.strategies.blocks import blocks
from simhw.strategies.codes import code_arrays, codes, values
from simhw.strategies.formats import (
    block_formats,
    codebook_formats,
    element_formats,
    float_formats,
    formats,
    integer_formats,
)
from simhw.strategies.gemms import GemmOperands, accumulators, datapaths, gemm_operands

__all__ = [
    "GemmOperands",
    "accumulators",
    "block_formats",
    "blocks",
    "code_arrays",
    "codebook_formats",
    "codes",
    "datapaths",
    "element_formats",
    "float_formats",
    "formats",
    "gemm_operands",
    "integer_formats",
    "values",
]

del _hypothesis
