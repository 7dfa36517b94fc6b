"""The version of this package, which its lowest layers may read."""

__all__ = ["__version__"]

__version__ = "0.1.0"
