"""``python -m simhw`` is the same as ``simhw``."""

import sys

from simhw.cli import main

sys.exit(main())
