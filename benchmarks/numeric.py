"""All numeric benchmarks in one run: casts and block quantization, accumulators, whole layers, a second thread.

Run with ``python -m benchmarks.numeric``; ``--out FILE`` also writes the tables as Markdown. Each row is a ratio to a
limit that is measured beside it in the same process, in turn, on one thread (CPU time): a narrowing copy for casts,
sgemm for products; and to the peers that are installed (``pip install 'simhw[benchmarks]'``).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.measure import ROUNDS, machine, markdown  # isort: skip  (before NumPy)

from benchmarks import accumulators, casts, gemm, threads

SHORT = ((256, 256, 256),)


def tables(rounds: int, *, short: bool) -> list[str]:
    """Run everything, print each table when it is done, and return them."""
    sizes = SHORT if short else gemm.SIZES
    parts = (
        ("Casts and block quantization", "a narrowing copy", lambda: casts.rows(rounds=rounds)),
        ("Layers: codes in, rounded results out", "sgemm", lambda: list(gemm.rows(rounds, sizes))),
        ("Accumulators: operands in, sums out", "sgemm", lambda: list(accumulators.rows(rounds, sizes))),
        ("Two threads, wall time", "one thread", lambda: list(threads.rows(rounds))),
    )
    done = []
    for title, limit, rows in parts:
        done.append(markdown(title, limit, rows()))
        print(done[-1], flush=True)
    return done


def main() -> None:
    """Print the tables, and write them where asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="measurements of each figure")
    parser.add_argument("--short", action="store_true", help="256 x 256 x 256 only")
    arguments = parser.parse_args()
    print(machine(), flush=True)
    done = tables(arguments.rounds, short=arguments.short)
    if arguments.out is not None:
        arguments.out.write_text("\n".join([f"Measured on {machine()}, one thread, medians.", "", *done]))


if __name__ == "__main__":
    main()
