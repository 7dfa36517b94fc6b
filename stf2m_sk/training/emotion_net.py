"""A skorch net around an emotion network, and how its training is stopped."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from skorch import NeuralNet
from torch import Tensor

from stf2m_sk.nn.signals import Signals

__all__ = ["EmotionNet"]


class EmotionNet(NeuralNet):
    """A skorch net around an emotion network, which is trained in place.

    Parameters
    ----------
    module : EmotionNetwork
        Network.
    criterion : torch.nn.Module
        Loss of logits and target probabilities.
    train_batches, valid_batches : iterable of (Signals, Tensor), valid_batches may be None
        Clips on the device, and target probabilities.
    noise : torch.Generator
        Source of dropout, on the device.
    autocast : context manager
        Entered when the network is evaluated.
    **kwargs
        As in `skorch.NeuralNet`.

    Notes
    -----
    Callbacks stop the training of a network as usual in skorch, by a KeyboardInterrupt at the end
    of an epoch. Ctrl-C is passed on when the callbacks have been told that the training has ended;
    skorch itself would swallow it. For scorers, callbacks are given class codes as targets.
    """

    def __init__(
        self, module, criterion, *, train_batches, valid_batches, noise, autocast, **kwargs
    ):
        super().__init__(module, criterion, **kwargs)
        self.train_batches = train_batches
        self.valid_batches = valid_batches
        self.noise = noise
        self.autocast = autocast

    def get_split_datasets(self, X, y=None, **fit_params):
        """Batches to train on and for validation."""
        return self.train_batches, self.valid_batches

    def get_iterator(self, dataset, training=False):
        """Batches as they are."""
        return dataset

    def infer(self, x: Signals, **fit_params) -> Tensor:
        """Logits, in float32."""
        with self.autocast:
            logits = self.module_(x, self.noise if self.module_.training else None)
        return logits.float()

    def validation_step(self, batch, **fit_params):
        """Loss, and hits weighted by class: their mean is the balanced accuracy."""
        step = super().validation_step(batch, **fit_params)
        truth = batch[1].argmax(1)
        hits = (step["y_pred"].argmax(1) == truth) * self.valid_batches.class_weights[truth]
        self.history.record_batch("valid_acc", hits.mean().item())
        return step

    def predict(self, X):
        """Class codes."""
        return self.predict_proba(X).argmax(1)

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Train on until the last epoch, or until a callback stops it."""
        if not self.initialized_:
            self.initialize()
        self.notify("on_train_begin", X=X, y=y)
        try:
            self.fit_loop(X, y, **fit_params)
        except _StoppedByCallback:
            pass
        except KeyboardInterrupt as interruption:
            try:
                self.notify("on_train_end", X=X, y=y)
            finally:
                raise interruption
        self.notify("on_train_end", X=X, y=y)
        return self

    def notify(self, method_name, **cb_kwargs):
        """Call the callbacks; a KeyboardInterrupt at the end of an epoch is their way to stop."""
        if method_name == "on_batch_end":
            clips, shares = cb_kwargs["batch"]
            cb_kwargs["batch"] = clips, shares.argmax(1)
        if method_name != "on_epoch_end":
            super().notify(method_name, **cb_kwargs)
            return
        with _ctrl_c() as pressed:
            try:
                super().notify(method_name, **cb_kwargs)
            except KeyboardInterrupt as stop:
                if pressed:
                    raise
                raise _StoppedByCallback from stop


class _StoppedByCallback(Exception):
    """A callback has ended the training of a network."""


@contextmanager
def _ctrl_c() -> Iterator[list[int]]:
    """Note interrupts, to tell them from a KeyboardInterrupt that a callback raises."""
    pressed: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield pressed  # interrupts do not reach this thread, or nobody
        return

    def note(number, frame):
        try:
            before(number, frame)
        except KeyboardInterrupt:
            pressed.append(number)
            raise

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
