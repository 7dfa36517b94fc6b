"""Callbacks of the training loop, in skorch's protocol."""

from __future__ import annotations

from skorch.callbacks import Callback
from tqdm.auto import tqdm

__all__ = ["ProgressBar"]


class ProgressBar(Callback):
    """A bar over epochs with the losses, the validation accuracy and the time left.

    Works in terminals and notebooks.
    """

    def on_train_begin(self, net, **kwargs) -> None:
        """Open the bar."""
        self.bar_ = tqdm(total=net.max_epochs, desc="meta-training", unit="epoch")

    def on_epoch_end(self, net, **kwargs) -> None:
        """Move on by an epoch."""
        epoch = net.history[-1]
        names = {"train_loss": "loss", "valid_loss": "valid loss", "valid_acc": "valid accuracy"}
        figures = {shown: f"{epoch[name]:.3f}" for name, shown in names.items() if name in epoch}
        self.bar_.set_postfix(figures, refresh=False)
        self.bar_.update()

    def on_train_end(self, net, **kwargs) -> None:
        """Close the bar."""
        self.bar_.close()
        del self.bar_  # an open bar would keep the net from being pickled
