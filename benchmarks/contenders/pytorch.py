"""PyTorch on the CPU: tensors made before, batches by `index_select`, Adam fused.

Of fused and foreach, fused was the faster, or as fast (docs/experiments.md).
"""

import torch

from benchmarks.cases import LEARNING_RATE, Case, examples, order


def pytorch(case: Case, epochs: int):
    """The usual loop: zero_grad, forward, backward, step."""
    X, y = map(torch.from_numpy, examples(case))
    layers = []
    for n_prev, n in zip(case.sizes[:-1], case.sizes[1:], strict=True):
        layers += [torch.nn.Linear(n_prev, n), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    loss = torch.nn.BCEWithLogitsLoss() if case.logistic else torch.nn.CrossEntropyLoss()
    y = y[:, None].float() if case.logistic else y
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    table = None if case.whole else torch.from_numpy(order(case, epochs))

    def step(X, y):
        optimizer.zero_grad(set_to_none=True)
        loss(network(X), y).backward()
        optimizer.step()

    def run():
        for k in range(epochs * case.steps_per_epoch):
            if table is None:
                step(X, y)
            else:
                step(X.index_select(0, table[k]), y.index_select(0, table[k]))

    return run
