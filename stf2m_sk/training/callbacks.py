"""What is taken as a callback of the networks' training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from skorch.callbacks import Callback

__all__ = ["OWN_NAMES", "check_callbacks"]

OWN_NAMES = ("schedule", "valid_acc", "best", "epochs")  # of the callbacks that are always there


def check_callbacks(callbacks: Iterable[Any]) -> None:
    """Refuse what skorch would stumble over in the middle of the training.

    Parameters
    ----------
    callbacks : iterable
        skorch callbacks, classes of such that need no argument, or pairs of a name and either.

    Raises
    ------
    TypeError
        If one is something else, such as a function.
    ValueError
        If a name is given twice, or is one that the training uses itself.
    """
    names = list(OWN_NAMES)
    for i, given in enumerate(callbacks):
        place, callback = f"callbacks[{i}]", given
        if isinstance(given, tuple):
            if len(given) != 2 or not isinstance(given[0], str):
                raise TypeError(f"{place} is {given!r}; a tuple must be (name, callback).")
            name, callback = given
            if name in names:
                raise ValueError(
                    f"{place} has the name {name!r}, which another callback has; give it a name "
                    f"of its own, none of {', '.join(OWN_NAMES)}."
                )
            names.append(name)
        if isinstance(callback, type) and issubclass(callback, Callback):
            _check_class(place, callback)
        elif not isinstance(callback, Callback):
            raise TypeError(
                f"{place} is {callback!r}, but it must be a skorch callback: an instance of "
                "skorch.callbacks.Callback. Put a function into one that has on_epoch_end."
            )


def _check_class(place: str, kind: type[Callback]) -> None:
    try:
        kind()
    except TypeError as error:
        raise TypeError(
            f"{place} is the class {kind.__name__}, which needs arguments ({error}); give an "
            "instance."
        ) from error
