"""The U-Net of `models/unet.py` as a plain PyTorch module, channels last."""

import os

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.contenders.pytorch_convolutional import channels_last, normalized


class Level(nn.Module):
    """Two convolutions, what is made of half the size, and two more of both."""

    def __init__(self, n_prev: int, n: int, depth: int):
        super().__init__()
        self.down = twice(n_prev, n)
        below = Level(n, 2 * n, depth - 1) if depth > 1 else twice(n, 2 * n)
        self.below = nn.Sequential(nn.MaxPool2d(2), below, nn.ConvTranspose2d(2 * n, n, 2, 2))
        self.up = twice(2 * n, n)

    def forward(self, x):
        """The images of the way down beside those of the way up."""
        x = self.down(x)
        return self.up(torch.cat([x, self.below(x)], dim=1))


def twice(n_prev: int, n: int) -> nn.Sequential:
    """Two convolutions of 3 by 3, each with batch norm and ReLU."""
    first, second = normalized(n_prev, n, 3), normalized(n, n, 3)
    return nn.Sequential(*first, nn.ReLU(inplace=True), *second, nn.ReLU(inplace=True))


def unet(n_prev: int, n: int, depth: int, classes: int) -> nn.Module:
    """n channels in its first level, a channel for each class at the end."""
    return nn.Sequential(Level(n_prev, n, depth), nn.Conv2d(n, classes, 1))


def training_step(network: nn.Module, X, Y, class_weights, ignored: int):
    """A step of Adam on the same pictures (m, n_H, n_W, n_C) and masks (m, n_H, n_W)."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    network = network.to(memory_format=torch.channels_last).train()
    images, masks = channels_last(X), torch.tensor(Y, dtype=torch.long)
    how = {"weight": torch.tensor(class_weights, dtype=torch.float32), "ignore_index": ignored}
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)

    def run():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(network(images), masks, **how).backward()
        optimizer.step()

    return run
