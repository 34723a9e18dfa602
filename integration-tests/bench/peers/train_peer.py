"""PyTorch on the CPU as the peer of the trainer: reads commands as JSON lines, answers the seconds that each took.

python train_peer.py THREADS typical|best, then {"network": [layers], "batch": 128, "scale": s} and {"steps": n, "graph_only": bool} ...
typical: as a user writes it (NCHW, ReLU before the pool). best: channels_last, the pool before the ReLU, one kernel for all
parameters of the optimizer, and memory kept by the process (set by the caller).
"""

import json
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

PATCHES = 1024
MEANS = [190.0, 150.0, 190.0]


def build(layers, best):
    channels, modules = 3, []
    for at, layer in enumerate(layers):
        if layer["type"] == "conv":
            modules.append(nn.Conv2d(channels, layer["channels"], layer["kernelPx"]))
            channels = layer["channels"]
        elif layer["type"] == "relu":
            followed = at + 1 < len(layers) and layers[at + 1]["type"] == "maxPool"
            if best and followed:
                modules += [nn.MaxPool2d(layers[at + 1]["sizePx"]), nn.ReLU()]
            else:
                modules.append(nn.ReLU())
        elif not (best and layers[at - 1]["type"] == "relu"):
            modules.append(nn.MaxPool2d(layer["sizePx"]))
    return nn.Sequential(*modules, nn.Flatten(1))


class Peer:
    def __init__(self, best, network, batch, scale):
        torch.manual_seed(1)
        self.best, self.batch, self.scale = best, batch, scale
        self.net = build(network, best)
        if best:
            self.net = self.net.to(memory_format=torch.channels_last)
        weights = [p for p in self.net.parameters() if p.dim() > 1]
        biases = [p for p in self.net.parameters() if p.dim() == 1]
        groups = [{"params": weights, "weight_decay": 0.004}, {"params": biases, "weight_decay": 0.0}]
        self.optimizer = torch.optim.Adagrad(groups, lr=0.003, initial_accumulator_value=0.1, foreach=True if best else None)
        self.patches = torch.randint(0, 256, (PATCHES, 3, 32, 32), dtype=torch.uint8)
        self.labels = torch.arange(PATCHES) % 3
        self.means = torch.tensor(MEANS).view(1, 3, 1, 1)
        self.weights = torch.ones(3)
        self.ready = self.assemble()

    def assemble(self):
        chosen = torch.randint(0, PATCHES, (self.batch,))
        x = self.patches[chosen]
        across, down = torch.rand(2, self.batch, 1, 1, 1) < 0.5
        x = torch.where(across, x.flip(3), x)
        x = torch.where(down, x.flip(2), x)
        x = (x.float() - self.means) * self.scale
        if self.best:
            x = x.contiguous(memory_format=torch.channels_last)
        return x, self.labels[chosen]

    def step(self, graph_only):
        x, y = self.ready if graph_only else self.assemble()
        self.optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(self.net(x), y, weight=self.weights)
        loss.backward()
        self.optimizer.step()
        return loss.item()


def main():
    torch.set_num_threads(int(sys.argv[1]))
    peer = None
    for line in sys.stdin:
        asked = json.loads(line)
        if "network" in asked:
            peer = Peer(sys.argv[2] == "best", asked["network"], asked["batch"], asked["scale"])
            seconds = 0.0
        else:
            started = time.perf_counter()
            for _ in range(asked["steps"]):
                peer.step(asked["graph_only"])
            seconds = time.perf_counter() - started
        print(json.dumps({"seconds": seconds}), flush=True)


main()
