"""Writes pytorch-vectors.fixture.ts: losses and gradients of PyTorch's autograd in float64, for training-graph.test.ts.

Run with PyTorch at hand: python3 pytorch-vectors.py > pytorch-vectors.fixture.ts
Inputs are functions of an index, the same in test-data.fixture.ts.
"""
import json
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

DEFAULT = [("conv", 5, 32), ("relu",), ("maxPool", 2), ("conv", 5, 32), ("relu",), ("maxPool", 2),
           ("conv", 5, 64), ("relu",), ("conv", 1, 64), ("relu",), ("conv", 1, 3)]
OTHER = [("conv", 3, 5), ("relu",), ("maxPool", 3), ("conv", 3, 7), ("maxPool", 2), ("relu",),
         ("conv", 3, 6), ("relu",), ("conv", 2, 3)]
BATCH, STEPS, RATE, DECAY, ACCUMULATOR = 6, 5, 0.003, 0.004, 0.1
MEANS, CLASS_WEIGHTS = [180.5, 120.25, 160.75], [0.5, 1.0, 2.5]


def uniform(seed, indices):
    """In [0, 1): 32 bits of a multiply-xor hash."""
    mask = np.uint64(0xFFFFFFFF)
    h = ((indices.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B1) + np.uint64(seed) * np.uint64(0x85EBCA6B)) & mask
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        h = ((h ^ (h >> np.uint64(shift))) * np.uint64(factor)) & mask
    h ^= h >> np.uint64(16)
    return h.astype(np.float64) / 2**32


def patches(kind):
    if kind == "noise":
        return np.floor(256 * uniform(2, np.arange(BATCH * 3072))).reshape(BATCH, 3, 32, 32)
    flat = np.empty((BATCH, 3, 32, 32))  # one colour, and in every other patch a darker square
    for n in range(BATCH):
        for c in range(3):
            flat[n, c] = 200 - 20 * c
            if n % 2 == 1:
                flat[n, c, 6 + n: 18 + n, 9: 21] = 60 + 10 * c
    return flat


class Net(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.kinds, channels, convs = layers, 3, []
        for kind, *sizes in layers:
            if kind == "conv":
                convs.append(nn.Conv2d(channels, sizes[1], sizes[0]))
                channels = sizes[1]
        self.convs = nn.ModuleList(convs)
        self.double()
        start = 0
        with torch.no_grad():
            for conv in convs:
                for array, bound in ((conv.weight, np.sqrt(6 / conv.weight[0].numel())), (conv.bias, 0.1)):
                    u = uniform(1, np.arange(start, start + array.numel()))
                    array.copy_(torch.from_numpy(((2 * u - 1) * bound).astype(np.float32).astype(np.float64)).view_as(array))
                    start += array.numel()

    def forward(self, x):
        convs = iter(self.convs)
        for kind, *sizes in self.kinds:
            x = next(convs)(x) if kind == "conv" else F.relu(x) if kind == "relu" else F.max_pool2d(x, sizes[0])
        return x.flatten(1)


def loss_of(net, kind):
    x = (torch.from_numpy(patches(kind)) - torch.tensor(MEANS, dtype=torch.float64).view(1, 3, 1, 1)) / 255
    y = torch.arange(BATCH) % 3
    weights = torch.tensor(CLASS_WEIGHTS, dtype=torch.float64)
    return (F.cross_entropy(net(x), y, reduction="none") * weights[y]).sum() / BATCH


def samples(arrays):
    flat = torch.cat([array.detach().flatten() for array in arrays]).numpy()
    picked = np.unique(np.linspace(0, flat.size - 1, 150).astype(int))
    return [[int(i), float(f"{flat[i]:.9g}")] for i in picked]


def case(name, layers, kind):
    net = Net(layers)
    loss = loss_of(net, kind)
    loss.backward()
    gradients = [p.grad for p in net.parameters()]
    result = {"network": name, "patches": kind, "loss": loss.item(), "gradient": samples(gradients),
              "norms": [float(f"{g.norm().item():.9g}") for g in gradients]}
    groups = [{"params": [c.weight for c in net.convs], "weight_decay": DECAY}, {"params": [c.bias for c in net.convs]}]
    optimizer = torch.optim.Adagrad(groups, lr=RATE, initial_accumulator_value=ACCUMULATOR, eps=1e-10)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(net, kind)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return result | {"losses": losses, "trained": samples(net.parameters())}


cases = [case(name, layers, kind) for name, layers in (("default", DEFAULT), ("other", OTHER)) for kind in ("noise", "flat")]
print(f"""/** @file Written by pytorch-vectors.py with PyTorch {torch.__version__.split("+")[0]}: do not edit. */

/** For each network and kind of patches: loss, gradient (index and value), the arrays' norms, and AdaGrad's steps. */
// biome-ignore format: one line a case
export const PYTORCH_VECTORS = [""")
for c in cases:
    print(f"  {json.dumps(c, separators=(',', ':'))},")
print("] as const;")
