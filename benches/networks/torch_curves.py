"""The losses of 50 steps in PyTorch that `engine/networks/src/train/tests/curves.rs` compares ours with.

Rows, start weights and the order of rows are given by formula, so that both sides start from the same bits and differ by
rounding alone.

    torch_curves.py        prints the table of that test
"""

import numpy as np
import torch

ROWS, FEATURES, IDS, BATCH, STEPS = 640, 8, 11, 64, 50


def values(seed, count):
    """Numbers between -1 and 1 that single precision holds exactly."""
    bits = np.arange(count, dtype=np.uint64) * 2654435761 + seed * 97 + 12345 & 0xFFFFFFFF
    for _ in range(2):
        bits = (bits ^ bits >> 16) * 0x45D9F3B & 0xFFFFFFFF
    bits ^= bits >> 16
    return torch.tensor((bits >> 8).astype(np.float32) / np.float32(2**23) - np.float32(1))


def rows(classes):
    x = values(1000, ROWS * FEATURES).reshape(ROWS, FEATURES)
    ids = torch.arange(ROWS) * 7 % IDS
    y = x[:, 0] + x[:, 1] * 0.5 + (ids % 3) * 0.25
    return x, ids, y if classes == 0 else (y > 0.25).float() if classes == 2 else torch.clamp(y + 1, 0, 2).floor().long()


class Network(torch.nn.Module):
    """Layers as in `Plan`: parameters stand in its order, which seeds their start values."""

    def __init__(self, width, *layers):
        super().__init__()
        self.vectors = torch.nn.Embedding(IDS, width) if width else None
        self.layers = torch.nn.Sequential(*layers)
        for number, weights in enumerate(self.parameters()):
            with torch.no_grad():
                start = values(number, weights.numel()).reshape(weights.shape) * 0.25
                is_gain = weights.dim() == 1 and bool((weights == 1).all())
                weights.copy_(start + 1 if is_gain else start)

    def forward(self, x, ids):
        return self.layers(x if self.vectors is None else torch.cat([x, self.vectors(ids)], 1))


def curve(classes, network, optimizer, clip):
    x, ids, y = rows(classes)
    loss = {0: torch.nn.MSELoss(), 2: torch.nn.BCEWithLogitsLoss(), 3: torch.nn.CrossEntropyLoss()}[classes]
    optimizer, losses = optimizer(network.parameters()), []
    for step in range(STEPS):
        batch = slice(step * BATCH % ROWS, step * BATCH % ROWS + BATCH)
        optimizer.zero_grad()
        scores = network(x[batch], ids[batch])
        now = loss(scores if classes == 3 else scores[:, 0], y[batch])
        now.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimizer.step()
        losses.append(now.item())
    return losses


def main():
    torch.set_num_threads(1)
    nn = torch.nn
    cases = [
        (0, Network(0, nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1)),
         lambda weights: torch.optim.AdamW(weights, lr=0.01, weight_decay=0.01), 0.5),
        (2, Network(5, nn.Linear(13, 24), nn.LayerNorm(24), nn.SiLU(), nn.Linear(24, 1)),
         lambda weights: torch.optim.SGD(weights, lr=0.05, momentum=0.9, nesterov=True), None),
        (3, Network(4, nn.Linear(12, 24), nn.BatchNorm1d(24), nn.Tanh(), nn.Linear(24, 3)),
         lambda weights: torch.optim.Adagrad(weights, lr=0.05), None),
    ]
    print(f"// torch {torch.__version__.split('+')[0]}, `benches/networks/torch_curves.py`.")
    for case in cases:
        print("[" + ", ".join(f"{value:.6f}"[:5] + "_" + f"{value:.6f}"[5:] for value in curve(*case)) + "],")


main()
