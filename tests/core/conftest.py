from __future__ import annotations

import sys
from pathlib import Path

# Tests have no packages; the helpers beside them are found by path.
sys.path.insert(0, str(Path(__file__).parent))
