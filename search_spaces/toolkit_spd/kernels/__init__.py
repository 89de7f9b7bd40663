"""Optional compiled kernels. Without them, or where they do not apply, torch does the work."""

from .eigh import available, batched_eigh, install

__all__ = ["available", "batched_eigh", "install"]
