"""`python -m nst` is the command line."""

import sys

from nst.cli import main

sys.exit(main())
