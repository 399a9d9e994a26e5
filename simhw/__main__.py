"""``python -m simhw`` is the same as ``simhw``."""

from simhw.cli import main

main()
