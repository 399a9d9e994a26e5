"""All numeric benchmarks in one run: casts and block quantization, accumulators, whole layers.

Run with ``python -m benchmarks.numeric``. Each part prints ratios to a limit that is measured beside it in the same
process: a narrowing copy for casts, sgemm for GEMMs.
"""

from __future__ import annotations

from benchmarks import accumulators, gemm  # isort: skip  (they set the BLAS environment before NumPy loads)
from benchmarks import casts


def main() -> None:
    """Print the three tables."""
    for part in (casts, accumulators, gemm):
        print(f"== {part.__name__.rsplit('.', 1)[-1]}")
        part.main()
        print()


if __name__ == "__main__":
    main()
