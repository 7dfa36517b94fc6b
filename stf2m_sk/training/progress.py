"""How far a fit is: one bar over its stages, and a log of their seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tqdm import tqdm

__all__ = ["Progress"]

_LOG = logging.getLogger("stf2m_sk")
_FORMAT = "{desc}: {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}{postfix}]"


class Progress:
    """A bar over all stages of a fit; a context manager.

    Left without an error, the bar is at 100 %. After an error it names the stage and the error.

    Parameters
    ----------
    stages : dict of str to float
        For each stage, in their order, about how long it takes, in any unit.
    verbose : int
        0 says nothing, 1 shows the bar, 2 also logs the seconds of each stage.

    Notes
    -----
    The logger is `stf2m_sk`, the level INFO.
    """

    def __init__(self, stages: Mapping[str, float], verbose: int) -> None:
        self.stages = stages
        self.verbose = verbose
        self.name = next(iter(stages))

    def __enter__(self) -> Progress:
        self._bar = tqdm(
            total=sum(self.stages.values()),
            desc=self.name,
            bar_format=_FORMAT,
            disable=not self.verbose,
        )
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self._bar.set_postfix_str("", refresh=False)
        if kind is None:
            self._bar.n = self._bar.total
            self._bar.set_description_str("fitted")
        else:
            self._bar.set_description_str(f"{self.name} stopped by {kind.__name__}")
        self._bar.close()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Show and time a stage.

        Parameters
        ----------
        name : str
            One of the stages.
        """
        self.name = name
        began = time.perf_counter()
        self.move(0.0)
        yield
        self.move(1.0)
        if self.verbose > 1:
            self._bar.clear()  # the line is the log's
            _LOG.info("%s took %.2f s", name, time.perf_counter() - began)

    def move(self, share: float, said: str = "") -> None:
        """Move the bar within the stage.

        Parameters
        ----------
        share : float
            Of the stage that is done, from 0 to 1.
        said : str, default=""
            Shown behind the bar.
        """
        names = list(self.stages)
        before = sum(self.stages[name] for name in names[: names.index(self.name)])
        self._bar.n = before + share * self.stages[self.name]
        self._bar.set_postfix_str(said, refresh=False)
        self._bar.set_description_str(self.name)
