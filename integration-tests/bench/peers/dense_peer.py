"""PyTorch's dilated network on the CPU as the peer of dense evaluation: reads commands as JSON lines, answers the seconds that each took.

python dense_peer.py THREADS typical|best, then {"network": [layers], "scale": s} and {"region": side} ...
typical: as a user writes it (NCHW, ReLU before the pool). best: channels_last, the pool before the ReLU, and memory kept by the process
(set by the caller).
"""

import json
import sys
import time

import torch
import torch.nn as nn

MEANS = [190.0, 150.0, 190.0]


def build(layers, best):
    channels, dilation, modules = 3, 1, []
    for at, layer in enumerate(layers):
        if layer["type"] == "conv":
            modules.append(nn.Conv2d(channels, layer["channels"], layer["kernelPx"], dilation=dilation))
            channels = layer["channels"]
        elif layer["type"] == "relu":
            modules.append(nn.ReLU())
        else:
            pool = nn.MaxPool2d(layer["sizePx"], stride=1, dilation=dilation)
            modules.insert(len(modules) - 1 if best and layers[at - 1]["type"] == "relu" else len(modules), pool)
            dilation *= layer["sizePx"]
    return nn.Sequential(*modules, nn.Softmax(1))


class Peer:
    def __init__(self, best, layers, scale):
        self.best, self.scale = best, scale
        self.net = build(layers, best)
        if best:
            self.net = self.net.to(memory_format=torch.channels_last)
        self.means = torch.tensor(MEANS).view(1, 3, 1, 1)

    def evaluate(self, side):
        region = torch.randint(0, 256, (1, 3, side, side), dtype=torch.uint8)
        started = time.perf_counter()
        with torch.inference_mode():
            x = (region.float() - self.means) * self.scale
            if self.best:
                x = x.contiguous(memory_format=torch.channels_last)
            self.net(x)
        return time.perf_counter() - started


def main():
    torch.set_num_threads(int(sys.argv[1]))
    peer = None
    for line in sys.stdin:
        asked = json.loads(line)
        seconds = 0.0
        if "network" in asked:
            peer = Peer(sys.argv[2] == "best", asked["network"], asked["scale"])
        else:
            seconds = peer.evaluate(asked["region"])
        print(json.dumps({"seconds": seconds}), flush=True)


main()
