"""The same network in PyTorch: rows per second of an epoch, shuffle included.

    torch_speed.py ROWS BATCH THREADS EPOCHS [HIDDEN,HIDDEN,…] [--device cuda] [--compile]

Data lie in one tensor; batches are taken by a permutation (`index_select`), which is faster than a `DataLoader`. AdamW is the
fused one. Prints JSON like `speed`.
"""

import json
import sys
import time

import torch

arguments = [word for word in sys.argv[1:] if not word.startswith("--")]
device = "cuda" if "cuda" in sys.argv else "cpu"
arguments = [word for word in arguments if word != "cuda"]
rows, batch, threads, epochs = map(int, arguments[:4])
hidden = [int(width) for width in (arguments[4] if len(arguments) > 4 else "128,128").split(",")]
torch.set_num_threads(threads)
torch.manual_seed(42)
x = (torch.rand(rows, 30) * 2 - 1).to(device)
y = x[:, 0] * x[:, 1] + x[:, 2] + 0.1 * (torch.rand(rows, device=device) * 2 - 1)
y = ((y - y.mean()) / y.std()).unsqueeze(1)
layers, width = [], 30
for following in hidden:
    layers += [torch.nn.Linear(width, following), torch.nn.ReLU()]
    width = following
model = torch.nn.Sequential(*layers, torch.nn.Linear(width, 1)).to(device)
if "--compile" in sys.argv:
    model = torch.compile(model)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2, fused=True)
speeds, loss = [], None
for epoch in range(epochs + 1):
    started, total = time.perf_counter(), 0.0
    order = torch.randperm(rows, device=device)
    for part in order.split(batch):
        loss = torch.nn.functional.mse_loss(model(x.index_select(0, part)), y.index_select(0, part))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    if device == "cuda":
        torch.cuda.synchronize()
    if epoch > 0:
        speeds.append(rows / (time.perf_counter() - started))
speeds.sort()
print(json.dumps({"median": speeds[len(speeds) // 2], "best": speeds[-1], "loss": loss.item()}))
