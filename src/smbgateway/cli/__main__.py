"""`python -m smbgateway.cli`."""

import sys

from . import main

sys.exit(main())
