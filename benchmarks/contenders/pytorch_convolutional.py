"""The convolutional networks that are timed, as plain PyTorch modules, channels last."""

import os

import torch
from torch import nn
from torch.nn import functional as F


def convnet() -> nn.Module:
    """Conv 3×3 32, pool, conv 3×3 64, pool, 128, 10, on 28×28 in grey."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 128),
        nn.ReLU(inplace=True),
        nn.Linear(128, 10),
    )


class Residual(nn.Module):
    """Some convolutions with batch norm, and what leads around them."""

    def __init__(self, main: nn.Module, shortcut: nn.Module | None):
        super().__init__()
        self.main, self.shortcut = main, shortcut

    def forward(self, x):
        """relu(main + shortcut)."""
        around = x if self.shortcut is None else self.shortcut(x)
        return F.relu(self.main(x) + around, inplace=True)


def normalized(n_prev: int, n: int, f: int, s: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution without b, and batch norm."""
    conv = nn.Conv2d(n_prev, n, f, s, f // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(n)]


def shortcut(n_prev: int, n: int, s: int) -> nn.Module | None:
    """A projection where the shape changes."""
    return None if n_prev == n and s == 1 else nn.Sequential(*normalized(n_prev, n, 1, s))


def resnet20() -> nn.Module:
    """Three stages of three blocks of two, on 32×32 in colour."""
    layers, n_prev = [*normalized(3, 16, 3), nn.ReLU(inplace=True)], 16
    for stage, n in enumerate((16, 32, 64)):
        for block in range(3):
            s = 2 if stage and not block else 1
            main = [*normalized(n_prev, n, 3, s), nn.ReLU(inplace=True), *normalized(n, n, 3)]
            layers.append(Residual(nn.Sequential(*main), shortcut(n_prev, n, s)))
            n_prev = n
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def resnet50() -> nn.Module:
    """Bottlenecks, on 224×224 in colour, 1,000 classes."""
    layers = [*normalized(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    n_prev = 64
    for stage, (n, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(blocks):
            s = 2 if stage and not block else 1
            main = [*normalized(n_prev, n, 1), nn.ReLU(inplace=True)]
            main += [*normalized(n, n, 3, s), nn.ReLU(inplace=True), *normalized(n, 4 * n, 1)]
            layers.append(Residual(nn.Sequential(*main), shortcut(n_prev, 4 * n, s)))
            n_prev = 4 * n
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


class Inverted(nn.Module):
    """An inverted residual block of MobileNet v2."""

    def __init__(self, n_prev: int, n: int, s: int, expansion: int):
        super().__init__()
        wide, layers = n_prev * expansion, []
        if expansion != 1:
            layers += [*normalized(n_prev, wide, 1), nn.ReLU6(inplace=True)]
        layers += [*normalized(wide, wide, 3, s, groups=wide), nn.ReLU6(inplace=True)]
        self.main = nn.Sequential(*layers, *normalized(wide, n, 1))
        self.added = s == 1 and n_prev == n

    def forward(self, x):
        """main, and x where the shapes are the same."""
        return x + self.main(x) if self.added else self.main(x)


def mobilenet_v2(width: float, n_L: int) -> nn.Module:
    """As the table of the paper, every width rounded to a multiple of 8."""
    table = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1))
    table += ((6, 160, 3, 2), (6, 320, 1, 1))
    n_prev = rounded(32 * width)
    layers = [*normalized(3, n_prev, 3, 2), nn.ReLU6(inplace=True)]
    for expansion, n, repeats, s in table:
        for i in range(repeats):
            layers.append(Inverted(n_prev, rounded(n * width), s if i == 0 else 1, expansion))
            n_prev = rounded(n * width)
    last = rounded(1280 * max(1.0, width))
    layers += [*normalized(n_prev, last, 1), nn.ReLU6(inplace=True)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, n_L))


def rounded(n: float) -> int:
    """To a multiple of 8, and never less than nine tenths of it."""
    nearest = max(8, int(n + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * n else nearest


def training_step(network: nn.Module, X, classes):
    """A step of Adam on the same examples, again and again; X (m, n_H, n_W, n_C)."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    network = network.to(memory_format=torch.channels_last).train()
    images, targets = channels_last(X), torch.tensor(classes)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)

    def run():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(network(images), targets).backward()
        optimizer.step()

    return run


def prediction(network: nn.Module, X):
    """Z of the same images, with the running averages; traced, frozen and batch norm folded."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    network = network.to(memory_format=torch.channels_last).eval()
    images = channels_last(X)
    with torch.inference_mode():
        traced = torch.jit.optimize_for_inference(
            torch.jit.freeze(torch.jit.trace(network, images))
        )

    def run():
        with torch.inference_mode():
            traced(images)

    return run


def channels_last(X) -> torch.Tensor:
    """The images as PyTorch has them, in the memory order that is fastest on a CPU."""
    return torch.tensor(X).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
