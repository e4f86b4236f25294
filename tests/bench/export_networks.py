#!/usr/bin/python3
"""Large published networks with random weights: exports them to ONNX, and checks and times them here.

  export_networks.py export [--networks resnet50,mobilenet_v3_large,vit_b_16] [--samples 8] --folder FOLDER
      writes FOLDER/NAME.onnx and FOLDER/NAME_SAMPLES.npz (x: random images [samples, 3, 224, 224], labels: random classes)
  export_networks.py [check] [--bench build/bin/network_bench] [--networks ..] [--samples 8] [--repeat 3]
      exports, then prints a table: layers, weights, multiply-accumulates, time to load, largest difference of the outputs
      to PyTorch's relative to the largest output (fails above 1e-4), time of a gradient over the samples here and in PyTorch

The layers, their order and their hyperparameters are torchvision's resnet50, mobilenet_v3_large and vit_b_16, written out
because Debian has no torchvision. Initial values follow the same rules. Batch normalisation gets the statistics of random
images, so that values stay near 1, and torch.onnx.export folds it into the convolutions, as it does for a trained network.

Needs python3-torch, python3-onnx and, for PyTorch's time, libopenblas0-pthread.
"""
import argparse
import os
import statistics
import sys
import tempfile
import time

from compare_torch import Side, load

IMAGE, CLASSES, OPSET = (3, 224, 224), 1000, 17
TOLERANCE = 1e-4


def resnet50():
    from torch import nn

    def conv(c_in, c_out, kernel, stride=1):
        return [nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(c_out)]

    class Bottleneck(nn.Module):
        def __init__(self, c_in, width, stride):
            super().__init__()
            c_out = 4 * width
            self.main = nn.Sequential(*conv(c_in, width, 1), nn.ReLU(), *conv(width, width, 3, stride), nn.ReLU(),
                                      *conv(width, c_out, 1))
            self.short = nn.Sequential(*conv(c_in, c_out, 1, stride)) if stride > 1 or c_in != c_out else nn.Identity()
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(self.main(x) + self.short(x))

    layers, c_in = [*conv(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            width = 64 << stage
            layers.append(Bottleneck(c_in, width, 2 if stage > 0 and block == 0 else 1))
            c_in = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c_in, CLASSES))


def mobilenet_v3_large():
    from torch import nn

    def conv(c_in, c_out, kernel, stride=1, groups=1, act=nn.Hardswish):
        return [nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False),
                nn.BatchNorm2d(c_out, eps=0.001), *([act()] if act else [])]

    def rounded(channels):  # to a multiple of 8
        return max(8, int(channels + 4) // 8 * 8)

    class SqueezeExcitation(nn.Module):
        def __init__(self, channels):
            super().__init__()
            inner = rounded(channels // 4)
            self.scale = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, inner, 1), nn.ReLU(),
                                       nn.Conv2d(inner, channels, 1), nn.Hardsigmoid())

        def forward(self, x):
            return x * self.scale(x)

    class InvertedResidual(nn.Module):
        def __init__(self, c_in, kernel, inner, c_out, excite, act, stride):
            super().__init__()
            self.block = nn.Sequential(*(conv(c_in, inner, 1, act=act) if inner != c_in else []),
                                       *conv(inner, inner, kernel, stride, groups=inner, act=act),
                                       *([SqueezeExcitation(inner)] if excite else []), *conv(inner, c_out, 1, act=None))
            self.residual = stride == 1 and c_in == c_out

        def forward(self, x):
            return x + self.block(x) if self.residual else self.block(x)

    relu, swish = nn.ReLU, nn.Hardswish
    rows = [(3, 16, 16, False, relu, 1), (3, 64, 24, False, relu, 2), (3, 72, 24, False, relu, 1), (5, 72, 40, True, relu, 2),
            (5, 120, 40, True, relu, 1), (5, 120, 40, True, relu, 1), (3, 240, 80, False, swish, 2),
            (3, 200, 80, False, swish, 1), (3, 184, 80, False, swish, 1), (3, 184, 80, False, swish, 1),
            (3, 480, 112, True, swish, 1), (3, 672, 112, True, swish, 1), (5, 672, 160, True, swish, 2),
            (5, 960, 160, True, swish, 1), (5, 960, 160, True, swish, 1)]
    layers, c_in = conv(3, 16, 3, 2), 16
    for kernel, inner, c_out, excite, act, stride in rows:
        layers.append(InvertedResidual(c_in, kernel, inner, c_out, excite, act, stride))
        c_in = c_out
    return nn.Sequential(*layers, *conv(c_in, 960, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(960, 1280),
                         nn.Hardswish(), nn.Dropout(0.2), nn.Linear(1280, CLASSES))


def vit_b_16():
    import torch
    from torch import nn

    d, heads, hidden, depth, patch = 768, 12, 3072, 12, 16

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(d, eps=1e-6), nn.LayerNorm(d, eps=1e-6)
            self.attention = nn.MultiheadAttention(d, heads, batch_first=True)
            self.mlp = nn.Sequential(nn.Linear(d, hidden), nn.GELU(), nn.Dropout(0.0), nn.Linear(hidden, d), nn.Dropout(0.0))

        def forward(self, x):
            y = self.norm1(x)
            x = x + self.attention(y, y, y, need_weights=False)[0]
            return x + self.mlp(self.norm2(x))

    class VisionTransformer(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches = nn.Conv2d(3, d, patch, patch)
            self.class_token = nn.Parameter(torch.zeros(1, 1, d))
            self.positions = nn.Parameter(torch.empty(1, (IMAGE[1] // patch) ** 2 + 1, d).normal_(std=0.02))
            self.blocks = nn.Sequential(*[Block() for _ in range(depth)])
            self.norm, self.head = nn.LayerNorm(d, eps=1e-6), nn.Linear(d, CLASSES)

        def forward(self, x):
            n = x.shape[0]
            x = self.patches(x).reshape(n, d, -1).permute(0, 2, 1)
            x = torch.cat([self.class_token.expand(n, -1, -1), x], dim=1)
            return self.head(self.norm(self.blocks(x + self.positions))[:, 0])

    return VisionTransformer()


NETWORKS = {"resnet50": resnet50, "mobilenet_v3_large": mobilenet_v3_large, "vit_b_16": vit_b_16}


def build(name):
    """The network in evaluation mode, its batch normalisations with the statistics of 8 random images."""
    import torch
    from torch import nn

    torch.manual_seed(2026)
    net = NETWORKS[name]()
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # statistics of everything seen
    with torch.no_grad():
        net.train()(torch.randn(8, *IMAGE))
    return net.eval()


def data(samples):
    import numpy as np

    rng = np.random.default_rng(7)
    return rng.standard_normal((samples, *IMAGE), dtype=np.float32), rng.integers(0, CLASSES, samples)


def export(name, samples, folder):
    """Writes the network and its data; returns the network and the two paths."""
    import numpy as np
    import torch

    net, (x, labels) = build(name), data(samples)
    model, archive = f"{folder}/{name}.onnx", f"{folder}/{name}_{samples}.npz"
    torch.onnx.export(net, torch.from_numpy(x[:2]), model, input_names=["x"], output_names=["z"], opset_version=OPSET,
                      dynamic_axes={"x": {0: "n"}, "z": {0: "n"}})
    np.savez(archive, x=x, labels=labels)
    return net, model, archive


def difference(side, net, x, folder):
    """Largest difference of the outputs, relative to the largest output."""
    import numpy as np
    import torch

    side.ask(f"outputs {folder}/outputs.bin")
    ours = np.fromfile(f"{folder}/outputs.bin", dtype=np.float32).reshape(len(x), -1)
    with torch.no_grad():
        theirs = net(torch.from_numpy(x)).numpy()
    return float(abs(ours - theirs).max() / abs(theirs).max())


def torch_gradient(net, x, labels, repeat):
    """Median CPU seconds of a gradient by the weights of all layers."""
    import torch

    weights = [p for p in net.parameters() if p.dim() > 1]
    times = []
    for _ in range(repeat + 1):
        cpu = time.process_time()
        torch.autograd.grad(torch.nn.functional.cross_entropy(net(x), labels), weights, allow_unused=True)
        times.append(time.process_time() - cpu)
    return statistics.median(times[1:])


def check(args, folder):
    import torch

    torch.set_num_threads(1)
    print(f"{args.samples} samples, median CPU time of {args.repeat} gradients, 1 thread; load average {load()}")
    print("| network | layers | weights | MACs | file | load | output difference | gradient | PyTorch's |")
    print("|" + " --- |" * 9)
    worst = 0.0
    for name in args.networks.split(","):
        net, model, archive = export(name, args.samples, folder)
        x, labels = data(args.samples)
        side = Side([args.bench, model, archive, str(args.samples)])
        _, _, _, layers, weights, macs, load_ms = side.ask("network")
        found = difference(side, net, x, folder)
        side.ask("gradient")
        gradient = statistics.median(side.ask("gradient")[0] for _ in range(args.repeat)) / 1e3
        side.close()
        theirs = torch_gradient(net, torch.from_numpy(x), torch.from_numpy(labels), args.repeat)
        print(f"| {name} | {layers:.0f} | {weights / 1e6:.2f} M | {macs / 1e9:.3f} G | {os.path.getsize(model) / 1e6:.0f} MB | "
              f"{load_ms / 1e3:.2f} s | {found:.1e} | {gradient:.2f} s | {theirs:.2f} s |", flush=True)
        worst = max(worst, found)
    if not worst <= TOLERANCE:
        sys.exit(f"outputs differ by {worst:.1e}, want at most {TOLERANCE:.0e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="check", choices=["check", "export"])
    parser.add_argument("--bench", default="build/bin/network_bench")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", default=None, help="where models and data are written; default: a temporary folder")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or temporary
        if args.what == "export":
            for name in args.networks.split(","):
                print(*export(name, args.samples, folder)[1:])
        else:
            check(args, folder)


if __name__ == "__main__":
    main()
