"""EEGNet (Lawhern and others 2018, arXiv:1611.08024) through skorch, fine-tuned on a support."""

from __future__ import annotations

import copy

import numpy as np
import torch
from skorch import NeuralNetClassifier
from torch import Tensor, nn
from torch.nn import functional as F

from peers._base import BasePeer, seeded
from peers._deep import balanced_weights
from peers._one_clock import OneClock

_BATCH = 64


class EEGNet(nn.Module):
    """EEGNet-8,2: temporal, depthwise spatial and separable convolutions.

    Parameters
    ----------
    n_channels, n_frames, n_classes : int
        Sizes.
    dropout : float
        The paper's for training across people is 0.25.

    Notes
    -----
    The paper pools by 4 and by 8 at 128 Hz and takes kernels of half a second. Clips here have 29
    to 240 frames: the kernel is half a clip and 64 frames at most, and what is left after both
    poolings is at least 4 frames.
    """

    def __init__(
        self, n_channels: int, n_frames: int, n_classes: int, dropout: float = 0.25
    ) -> None:
        super().__init__()
        f1, depth = 8, 2
        f2 = f1 * depth
        first = min(4, max(1, n_frames // 16))
        second = min(8, max(1, n_frames // first // 4))
        self.temporal = nn.Conv2d(1, f1, (1, min(64, n_frames // 2)), bias=False)
        self.norm1 = nn.BatchNorm2d(f1)
        self.spatial = nn.Conv2d(f1, f2, (n_channels, 1), groups=f1, bias=False)
        self.norm2 = nn.BatchNorm2d(f2)
        self.depthwise = nn.Conv2d(f2, f2, (1, 16), groups=f2, bias=False)
        self.pointwise = nn.Conv2d(f2, f2, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(f2)
        self.pool1, self.pool2 = nn.AvgPool2d((1, first)), nn.AvgPool2d((1, second))
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(f2 * (n_frames // first // second), n_classes)

    def forward(self, X: Tensor) -> Tensor:
        """Scores of the classes; X has the shape (n_clips, n_channels, n_frames)."""
        hidden = self.norm1(_as_long(self.temporal, X[:, None]))
        # The paper's bounds on norms: 1 for each spatial filter, 0.25 for each class.
        spatial = torch.renorm(self.spatial.weight, 2, 0, 1.0)
        hidden = F.conv2d(hidden, spatial, groups=self.spatial.groups)
        hidden = self.dropout(self.pool1(F.elu(self.norm2(hidden))))
        hidden = self.norm3(self.pointwise(_as_long(self.depthwise, hidden)))
        hidden = self.dropout(self.pool2(F.elu(hidden))).flatten(1)
        return F.linear(hidden, torch.renorm(self.out.weight, 2, 0, 0.25), self.out.bias)


def _as_long(convolution: nn.Conv2d, hidden: Tensor) -> Tensor:
    """Pad so that no frame is lost; torch's own "same" warns of the even kernels of the paper."""
    missing = convolution.kernel_size[1] - 1
    return convolution(F.pad(hidden, (missing // 2, missing - missing // 2)))


class EEGNetPeer(BasePeer):
    """Trained on the population with cross-entropy; a copy is fine-tuned on each support.

    All modalities are channels on one clock. Fine-tuning keeps the statistics of the batch
    normalisation, and drops nothing. Rows of the last layer start from the population's; those
    of classes that it lacks from 0.

    Parameters
    ----------
    n_epochs : int
        Passes over the population.
    least_steps : int
        More passes where a small population gives fewer steps.
    learning_rate : float
        Of Adam, on the population.
    n_tuning : int
        Steps on the whole support.
    tuning_rate : float
        Of Adam, on the support.
    seed : int
        Source of everything random.
    """

    def __init__(
        self,
        *,
        n_epochs: int = 40,
        least_steps: int = 400,
        learning_rate: float = 2e-3,
        n_tuning: int = 30,
        tuning_rate: float = 3e-3,
        seed: int = 0,
    ) -> None:
        self.n_epochs = n_epochs
        self.least_steps = least_steps
        self.learning_rate = learning_rate
        self.n_tuning = n_tuning
        self.tuning_rate = tuning_rate
        self.seed = seed

    def fit(self, signals, labels, people=None):
        """Train on the population."""
        self.clock = OneClock(signals)
        joined = self.clock(signals)
        self.classes, codes = np.unique(labels, return_inverse=True)
        with seeded(self.seed):
            net = NeuralNetClassifier(
                EEGNet,
                module__n_channels=joined.shape[1],
                module__n_frames=joined.shape[2],
                module__n_classes=len(self.classes),
                criterion=nn.CrossEntropyLoss,
                criterion__weight=balanced_weights(codes),
                optimizer=torch.optim.Adam,
                lr=self.learning_rate,
                batch_size=_BATCH,
                max_epochs=max(self.n_epochs, self.least_steps * _BATCH // len(codes)),
                iterator_train__shuffle=True,
                train_split=None,
                verbose=0,
            )
            self.module = net.fit(joined, codes.astype(np.int64)).module_.eval()
        return self

    def features(self, signals) -> np.ndarray:
        """Clips on one clock."""
        return self.clock(signals)

    def answer(self, support, support_labels, query) -> np.ndarray:
        """The class with the largest score."""
        classes, module = self.classes, self.module
        if support is not None:
            classes, module = self._tuned(support, support_labels)
        with torch.no_grad():
            return classes[module(torch.from_numpy(query)).argmax(1).numpy()]

    def _tuned(self, support, labels) -> tuple[np.ndarray, EEGNet]:
        ways, codes = np.unique(labels, return_inverse=True)
        module = copy.deepcopy(self.module)
        module.out = self._last_layer(ways)
        clips, truth = torch.from_numpy(support), torch.as_tensor(codes)
        weights = balanced_weights(codes)
        optimizer = torch.optim.Adam(module.parameters(), self.tuning_rate)
        for _ in range(self.n_tuning):
            optimizer.zero_grad()
            F.cross_entropy(module(clips), truth, weights).backward()
            optimizer.step()
        return ways, module

    def _last_layer(self, ways: np.ndarray) -> nn.Linear:
        trained = self.module.out
        layer = nn.utils.skip_init(nn.Linear, trained.in_features, len(ways))
        with torch.no_grad():
            layer.weight.zero_()
            layer.bias.zero_()
            for row, way in enumerate(ways):
                for known in np.flatnonzero(self.classes == way):
                    layer.weight[row] = trained.weight[known]
                    layer.bias[row] = trained.bias[known]
        return layer
