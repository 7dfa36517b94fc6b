"""Errors and warnings about recordings and their files."""

__all__ = ["RecordingError", "RecordingWarning"]


class RecordingError(ValueError):
    """A recording, or the file it comes from, cannot be used as it is."""


class RecordingWarning(UserWarning):
    """A recording can be used, but probably not as it is meant."""
