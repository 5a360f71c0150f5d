"""Which version this is, for those who ask: -version, /stats, /metrics, manifests of backups.

Written here because an executable of bin/ holds modules and no distribution that could be asked; a
test compares it with pyproject.toml.
"""

from __future__ import annotations

VERSION = "0.1.0"
