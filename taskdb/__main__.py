"""`python -m taskdb` is the command `taskdb`."""

import sys

from taskdb.cli import main

sys.exit(main())
