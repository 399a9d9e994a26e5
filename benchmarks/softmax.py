"""How fast the two-pass softmax is beside the three-pass one, and beside PyTorch, in and out of cache.

Run with ``python -m benchmarks.softmax``. One thread, whole rows of float32, all contenders in turn on the same array.
Each writes into memory that it already owns, so that no page is
mapped while the clock runs. The paper reports up to 1.28 for two passes over three out of cache, with fused
multiply-adds (M. Dukhan and A. Ablavatski, Two-pass softmax algorithm, arXiv 2001.04438, abstract); ours have none.
"""

from __future__ import annotations

from benchmarks.measure import ROUNDS, cpu_seconds, machine  # isort: skip  (before NumPy)

from statistics import median

import numpy as np

from simhw.sfu import softmax_three_pass, softmax_two_pass

LENGTHS = (1 << 10, 1 << 16, 1 << 20, 1 << 23, 1 << 26)
"""Elements of a row: 4 KiB to 256 MiB."""


def rows(lengths: tuple[int, ...] = LENGTHS, rounds: int = ROUNDS) -> list[dict[str, float]]:
    """Return, per length, 1e9 elements per second of each contender and the ratios of the two-pass softmax."""
    import torch

    torch.set_num_threads(1)
    found = []
    for length in lengths:
        values = (np.random.default_rng(0).standard_normal((1, length)) * 4).astype(np.float32)
        tensor = torch.from_numpy(values)
        out = np.zeros_like(values)
        result = torch.zeros_like(tensor)
        contenders = {
            "two_pass": lambda values=values, out=out: softmax_two_pass.compute(values, out),
            "three_pass": lambda values=values, out=out: softmax_three_pass.compute(values, out),
            "torch": lambda tensor=tensor, result=result: torch.softmax(tensor, -1, out=result),
        }
        for work in contenders.values():
            work()
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(rounds):
            for name, work in contenders.items():
                seconds[name].append(cpu_seconds(work))
        speeds = {name: length / median(times) / 1e9 for name, times in seconds.items()}
        ratios = {f"over_{name}": speeds["two_pass"] / speeds[name] for name in ("three_pass", "torch")}
        found.append({"length": length, **speeds, **ratios})
    return found


def main() -> None:
    """Print the table."""
    print(machine())
    print("| elements | two-pass G/s | three-pass G/s | torch G/s | two-pass over three-pass | over torch |")
    print("|---|---|---|---|---|---|")
    for row in rows():
        print(
            f"| {row['length']:,} | {row['two_pass']:.2f} | {row['three_pass']:.2f} | {row['torch']:.2f} "
            f"| {row['over_three_pass']:.2f} | {row['over_torch']:.2f} |"
        )


if __name__ == "__main__":
    main()
