"""The kinds of inputs that a conformance check tries, by the names under which it reports them."""

from __future__ import annotations

from enum import StrEnum


class InputClass(StrEnum):
    """What is special about an input. One input may be of several classes."""

    EXACT = "exact value"
    """A value that the format has: must come back unchanged."""
    TIE = "tie"
    """Exactly between two neighbouring values of the format."""
    NEAR_TIE = "beside a tie"
    """One unit of float32 or float64 away from a tie: finds double rounding and lost sticky bits."""
    SUBNORMAL = "subnormal"
    """Below the smallest normal value of the format, not zero."""
    OVERFLOW = "overflow"
    """Finite, beyond the largest or the smallest value of the format."""
    INFINITY = "infinity"
    """An infinite input."""
    NAN = "NaN"
    """A NaN input."""
    SIGNED_ZERO = "signed zero"
    """An input that is +0 or -0."""
    ORDINARY = "ordinary"
    """None of the others."""
    ONE_PRODUCT = "one product"
    """A single product of two finite codes."""
    CANCELLATION = "cancellation"
    """Large products that cancel, and small ones that remain."""
    SATURATION = "saturation"
    """The largest products, all of one sign."""
    ALIGNMENT = "alignment loss"
    """One large product beside many small ones, around the place where alignment cuts them off."""
    SPREAD = "exponent spread"
    """Codes drawn uniformly: products of all exponents meet in one sum."""
    SPECIALS = "infinity, NaN"
    """Infinities, NaN and signed zeros among ordinary codes."""
    ADDEND = "addend"
    """Any of the above with an addend."""
