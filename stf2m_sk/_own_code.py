"""The digest of this package's source."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

__all__ = ["own_code"]


@cache
def own_code() -> str:
    """Digest of this package's source, which a version number does not tell from a checkout's."""
    content = hashlib.sha256()
    package = Path(__file__).parent
    for path in sorted(package.rglob("*.py")):
        content.update(str(path.relative_to(package)).encode() + path.read_bytes())
    return content.hexdigest()
