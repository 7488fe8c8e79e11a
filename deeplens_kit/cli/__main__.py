"""`python -m deeplens_kit.cli`: the same as `deeplens`, where the script is not on the path."""

import sys

from deeplens_kit.cli import main

sys.exit(main())
