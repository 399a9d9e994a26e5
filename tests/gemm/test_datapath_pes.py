"""Every preset of real hardware has a PE that executes its operands, so that each of them can be costed."""

import pytest

from simhw.formats import get_element_format
from simhw.gemm.integer_presets import integer_presets
from simhw.gemm.presets import presets
from simhw.pes import get_pe


@pytest.mark.parametrize("datapath", [*presets(), *integer_presets()], ids=lambda datapath: datapath.name)
def test_the_pe_executes_the_operands(datapath):
    pe = get_pe(datapath.pe)
    activation, weight = (get_element_format(name).bits for name in (datapath.activation, datapath.weight))
    assert pe.cycles_per_product(weight, activation) == 1
    if pe.fixed_accumulator_bits is None:
        assert pe.group_accumulator_bits(16, datapath.weight) >= pe.least_accumulator_bits
