#!/usr/bin/python3
"""Compares our gradients and Hessian products with PyTorch's on the same networks, in one run.

  compare_torch.py [--bench build/bin/network_bench] [--networks resnet20,resnet18,transformer] [--repeat 5] [ratios]
  compare_torch.py [--bench ..] traces    per-layer Gauss-Newton traces of ResNet-18 against Hutchinson in PyTorch
  compare_torch.py [--bench ..] scale     cost by number of samples; two threads against one
  compare_torch.py [--bench ..] depth [--plot FILE.svg]    cost by number of layers: ResNet-20, 32, 44, 56

Networks have random weights from a fixed seed, batch normalisation folded into the convolutions before either side sees
them, and only layer weights take part in derivatives. The two sides run in processes of their own with one thread each and
take turns call by call, so that load on the machine meets both alike; a figure is the median CPU time (user and
system) of --repeat calls after two warm-up calls.

PyTorch: gradient = forward and backward pass. Product = second backward pass alone over a graph that was built once, as
PyHessian does for one batch; ours keeps values and gradients between products too. Memory = growth of the largest
resident set from before the first pass to after all products.

Needs python3-torch, python3-onnx and libopenblas0-pthread (PyTorch's default BLAS is slow).
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

NETWORKS = {**{f"resnet{depth}": (128, (3, 32, 32), 10) for depth in (20, 32, 44, 56)}, "resnet18": (8, (3, 224, 224), 1000), "transformer": (16, (64, 256), 10)}


def build(name):
    """The network in evaluation mode with its batch normalisations folded."""
    import torch
    from torch import nn

    torch.manual_seed(2026)

    def conv(c_in, c_out, kernel, stride=1):
        c = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False)
        nn.init.kaiming_normal_(c.weight, mode="fan_out", nonlinearity="relu")
        bn = nn.BatchNorm2d(c_out)
        bn.running_mean.normal_(0, 0.1)
        bn.running_var.uniform_(0.8, 1.2)
        bn.eval()
        return nn.utils.fusion.fuse_conv_bn_eval(c.eval(), bn)

    class Block(nn.Module):
        def __init__(self, c_in, c_out, stride):
            super().__init__()
            self.conv1, self.conv2 = conv(c_in, c_out, 3, stride), conv(c_out, c_out, 3)
            self.conv2.weight.data *= 0.25  # keeps activations of random residual networks near 1
            self.short = conv(c_in, c_out, 1, stride) if stride > 1 or c_in != c_out else nn.Identity()

        def forward(self, x):
            return torch.relu(self.conv2(torch.relu(self.conv1(x))) + self.short(x))

    def stages(widths, blocks, c_in):
        layers = []
        for i, width in enumerate(widths):
            for b in range(blocks):
                layers.append(Block(c_in, width, 2 if i > 0 and b == 0 else 1))
                c_in = width
        return layers

    class Encoder(nn.Module):
        """Attention written out, so that it exports and differentiates twice on PyTorch 1.13."""

        def __init__(self, d, heads, hidden):
            super().__init__()
            self.heads, self.d = heads, d
            self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
            self.q, self.k, self.v, self.o = (nn.Linear(d, d) for _ in range(4))
            self.up, self.down = nn.Linear(d, hidden), nn.Linear(hidden, d)

        def split(self, x):
            return x.reshape(-1, x.shape[1], self.heads, self.d // self.heads).transpose(1, 2)

        def forward(self, x):
            y = self.norm1(x)
            q, k, v = self.split(self.q(y)), self.split(self.k(y)), self.split(self.v(y))
            p = torch.softmax(q @ k.transpose(-2, -1) / (self.d // self.heads) ** 0.5, -1)
            x = x + self.o((p @ v).transpose(1, 2).reshape(-1, x.shape[1], self.d))
            return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))

    class Pool(nn.Module):
        def forward(self, x):
            return x.mean(1)

    classes = NETWORKS[name][2]
    if NETWORKS[name][1] == (3, 32, 32):
        blocks = (int(name.removeprefix("resnet")) - 2) // 6
        net = nn.Sequential(conv(3, 16, 3), nn.ReLU(), *stages([16, 32, 64], blocks, 16), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                            nn.Linear(64, classes))
    elif name == "resnet18":
        net = nn.Sequential(conv(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1), *stages([64, 128, 256, 512], 2, 64),
                            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))
    else:
        net = nn.Sequential(*[Encoder(256, 8, 1024) for _ in range(4)], nn.LayerNorm(256), Pool(), nn.Linear(256, classes))
    for parameter in net.parameters():
        parameter.requires_grad_(parameter.dim() > 1)
    return net.eval()


def data(name, samples):
    import numpy as np

    _, shape, classes = NETWORKS[name]
    rng = np.random.default_rng(7)
    return rng.standard_normal((samples, *shape), dtype=np.float32), rng.integers(0, classes, samples)


def export(name, samples, folder):
    """Writes the network and its data; returns the two paths."""
    import numpy as np
    import torch

    x, labels = data(name, samples)
    model, archive = f"{folder}/{name}.onnx", f"{folder}/{name}_{samples}.npz"
    torch.onnx.export(build(name), torch.from_numpy(x[:2]), model, input_names=["x"], output_names=["z"], opset_version=17,
                      dynamic_axes={"x": {0: "n"}, "z": {0: "n"}})
    np.savez(archive, x=x, labels=labels)
    return model, archive


def resident_kib(field):
    """VmHWM: the peak since the last reset; VmRSS: now."""
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith(field + ":")).split()[1])


def reset_peak():
    with open("/proc/self/clear_refs", "w") as clear_refs:
        clear_refs.write("5")


def torch_worker(name, samples):
    """PyTorch's side: the same protocol as network_bench."""
    import torch

    torch.set_num_threads(1)
    net = build(name)
    x, labels = (torch.from_numpy(a) for a in data(name, samples))
    weights = [p for p in net.parameters() if p.requires_grad]
    generator = torch.Generator().manual_seed(1)
    state = {}

    def loss():
        return torch.nn.functional.cross_entropy(net(x), labels)

    def signs():
        return [torch.randint(0, 2, w.shape, generator=generator) * 2.0 - 1 for w in weights]

    def graph():
        state["grads"] = torch.autograd.grad(loss(), weights, create_graph=True)

    def product():
        if "grads" not in state:
            graph()
        state["v"] = signs()
        state["hv"] = torch.autograd.grad(state["grads"], weights, state["v"], retain_graph=True)

    def probe():
        product()
        return " " + " ".join(f"{float((h * v).sum()):.9g}" for h, v in zip(state["hv"], state["v"]))

    commands = {"ready": reset_peak, "gradient": lambda: torch.autograd.grad(loss(), weights), "product": product,
                "graph": graph, "probe": probe}
    for line in sys.stdin:
        command = line.strip()
        if command == "quit":
            break
        cpu, wall = time.process_time(), time.perf_counter()
        more = commands[command]()
        times = f"{(time.process_time() - cpu) * 1e3:.3f} {(time.perf_counter() - wall) * 1e3:.3f} {resident_kib('VmHWM')}"
        print(times + (more if isinstance(more, str) else ""), flush=True)


class Side:
    """One of the two processes."""

    def __init__(self, command):
        env = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            sys.exit(f"'{command}' got no answer")
        return [float(word) for word in answer]

    def close(self):
        self.process.communicate("quit\n")


def sides(args, name, samples, folder):
    model, archive = export(name, samples, folder)
    ours = Side([args.bench, model, archive, str(args.samples_per_shard)])
    theirs = Side([sys.executable, os.path.abspath(__file__), "torch_worker", "--networks", name, "--samples", str(samples)])
    return ours, theirs


def load():
    return " ".join(f"{x:.1f}" for x in os.getloadavg())


def ratios(args, folder):
    print(f"median CPU ms of {args.repeat} calls, 1 thread; load average {load()}")
    print("| network | samples | our gradient | our product | torch gradient | torch product | product / gradient | "
          "gradient / torch | product / torch | our MiB | torch MiB | memory / torch |")
    print("|" + " --- |" * 12)
    for name in args.networks.split(","):
        samples = args.samples or NETWORKS[name][0]
        ours, theirs = sides(args, name, samples, folder)
        start = [side.ask("ready")[2] for side in (ours, theirs)]
        ours.ask("product"), theirs.ask("product"), ours.ask("product"), theirs.ask("product")
        times = {(who, what): [] for who in ("ours", "torch") for what in ("gradient", "product")}
        for what in ("product", "gradient"):
            peak = [0, 0]
            for _ in range(args.repeat):
                for i, (who, side) in enumerate((("ours", ours), ("torch", theirs))):
                    answer = side.ask(what)
                    times[who, what].append(answer[0])
                    peak[i] = answer[2]
            if what == "product":
                memory = [(p - s) / 1024 for p, s in zip(peak, start)]
        ours.close(), theirs.close()
        t = {key: statistics.median(values) for key, values in times.items()}
        og, op, tg, tp = t["ours", "gradient"], t["ours", "product"], t["torch", "gradient"], t["torch", "product"]
        print(f"| {name} | {samples} | {og:.0f} | {op:.0f} | {tg:.0f} | {tp:.0f} | {op / og:.2f} | {og / tg:.2f} | "
              f"{op / tp:.2f} | {memory[0]:.0f} | {memory[1]:.0f} | {memory[0] / memory[1]:.2f} |", flush=True)


def traces(args, folder):
    """All per-layer Gauss-Newton traces to 5 %. PyTorch: all-layer Rademacher probes, each a product over all samples,
    until the layer's standard error is 5 %: (s / (0.05 t))^2 of them, s from --probes probes, t ours. For a
    piecewise-linear network the diagonal blocks of H are those of G."""
    name, samples = args.networks.split(",")[0], args.samples or 64
    model, archive = export(name, samples, folder)
    ours = Side([args.bench, model, archive, str(args.samples_per_shard)])
    answer = ours.ask("traces 0.05")
    gradient = ours.ask("gradient")[0]
    ours.close()
    cpu, draws, converged, values = answer[0], int(answer[3]), bool(answer[4]), answer[5:]
    print(f"load average {load()}; {name}, {samples} samples\nours: {cpu / 1e3:.2f} CPU s ({cpu / gradient:.2f} gradients), "
          f"{draws} draws, {'' if converged else 'not '}converged, {answer[2] / 1024:.0f} MiB peak", flush=True)
    torch_side = Side([sys.executable, os.path.abspath(__file__), "torch_worker", "--networks", name, "--samples",
                       str(samples)])
    build_ms = torch_side.ask("graph")[0]
    probes = [torch_side.ask("probe") for _ in range(args.probes)]
    torch_side.close()
    cost = statistics.median(p[0] for p in probes)
    needed = []
    for layer, trace in enumerate(values):
        found = [p[3 + layer] for p in probes]
        # The trace is ours: a mean of few probes would be small by chance and inflate the count.
        needed.append((statistics.stdev(found) / (0.05 * trace)) ** 2)
        error = statistics.stdev(found) / len(found) ** 0.5
        print(f"  layer {layer}: ours {trace:.5g}, Hutchinson {statistics.mean(found):.5g} +- {error:.2g}, needs "
              f"{needed[-1]:.0f} probes")
    for what, count in (("median layer", statistics.median(needed)), ("worst layer", max(needed))):
        seconds = (build_ms + cost * max(count, 2)) / 1e3
        print(f"PyTorch Hutchinson to 5 %, {what}: {count:.0f} probes of {cost / 1e3:.2f} CPU s = {seconds:.0f} s, "
              f"{seconds * 1e3 / cpu:.0f} times ours")


def scale(args, folder):
    name = args.networks.split(",")[0]
    base = NETWORKS[name][0]
    print(f"{name}; load average {load()}\n| samples | gradient ms | product ms | gradient ms a sample | product ms a sample |")
    print("|" + " --- |" * 5)
    for samples in (base, 2 * base, 4 * base, 8 * base):
        model, archive = export(name, samples, folder)
        side = Side([args.bench, model, archive, str(args.samples_per_shard)])
        side.ask("product")
        gradient, product = ([side.ask(what)[0] for _ in range(args.repeat)] for what in ("gradient", "product"))
        gradient, product = statistics.median(gradient), statistics.median(product)
        print(f"| {samples} | {gradient:.0f} | {product:.0f} | {gradient / samples:.3f} | {product / samples:.3f} |", flush=True)
        if samples == 8 * base:
            times = {1: [], 2: []}
            for _ in range(2 * args.repeat):
                for threads, found in times.items():
                    side.ask(f"threads {threads}")
                    found.append(side.ask("product")[:2])
            (cpu1, wall1), (cpu2, wall2) = ([min(column) for column in zip(*times[n])] for n in (1, 2))
            print(f"product, best of {2 * args.repeat}: by the clock 1 thread {wall1:.0f} ms, 2 threads {wall2:.0f} ms, "
                  f"{wall1 / wall2:.2f} times as fast; CPU {cpu1:.0f} and {cpu2:.0f} ms; load average {load()}")
        side.close()


def svg(title, unit, x, series):
    """A line plot from zero, as text: series = {name: y values}."""
    width, height, left, bottom = 520, 300, 60, 40
    top_x, top_y = max(x), max(max(y) for y in series.values())
    at = lambda u, v: (left + u / top_x * (width - left - 20), height - bottom - v / top_y * (height - bottom - 30))
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>', f'<text x="{left}" y="18">{title}</text>']
    for v in (0, top_y / 2, top_y):
        y = at(0, v)[1]
        lines.append(f'<path d="M{left} {y:.1f}H{width - 20}" stroke="#ddd"/><text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{v:.0f}</text>')
    for u in x:
        lines.append(f'<text x="{at(u, 0)[0]:.1f}" y="{height - bottom + 16}" text-anchor="middle">{u}</text>')
    lines.append(f'<text x="{width - 20}" y="{height - 6}" text-anchor="end">{unit}</text>')
    for (name, y), color in zip(series.items(), ("#0b62a4", "#c0392b")):
        points = " ".join("{:.1f},{:.1f}".format(*at(u, v)) for u, v in zip(x, y))
        lines.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        lines += ['<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>'.format(*at(u, v), color) for u, v in zip(x, y)]
        u, v = at(x[-1], y[-1])
        lines.append(f'<text x="{u - 8:.1f}" y="{v - 8:.1f}" text-anchor="end" fill="{color}">{name}</text>')
    return "\n".join(lines + ["</svg>", ""])


def depth(args, folder):
    """Cost by layers: the same network with more blocks."""
    rows = []
    print(f"load average {load()}\n| network | layers | gradient ms | product ms | gradient ms a layer | product ms a layer |")
    print("|" + " --- |" * 6)
    for n in (20, 32, 44, 56):
        model, archive = export(f"resnet{n}", args.samples or 128, folder)
        side = Side([args.bench, model, archive, str(args.samples_per_shard)])
        side.ask("product")
        gradient, product = (statistics.median(side.ask(what)[0] for _ in range(args.repeat)) for what in ("gradient", "product"))
        side.close()
        layers = n + 2  # n - 1 convolutions, two 1 x 1 shortcuts, the last layer
        rows.append((layers, gradient, product))
        print(f"| ResNet-{n} | {layers} | {gradient:.0f} | {product:.0f} | {gradient / layers:.2f} | {product / layers:.2f} |", flush=True)
    if args.plot:
        layers, gradient, product = zip(*rows)
        with open(args.plot, "w") as file:
            file.write(svg("CPU milliseconds, 128 samples of 3 x 32 x 32", "layers", layers, {"gradient": gradient, "Hessian product": product}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="ratios", choices=["ratios", "traces", "scale", "depth", "export", "torch_worker"])
    parser.add_argument("--bench", default="build/bin/network_bench")
    parser.add_argument("--networks", default=None)
    parser.add_argument("--samples", type=int, default=0, help="0: the network's own batch")
    parser.add_argument("--samples_per_shard", type=int, default=16)
    parser.add_argument("--plot", default=None, help="depth: where an SVG goes")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--probes", type=int, default=20)
    parser.add_argument("--folder", default=None, help="where models and data are written; default: a temporary folder")
    args = parser.parse_args()
    compared = "resnet20,resnet18,transformer"
    defaults = {"ratios": compared, "traces": "resnet18", "scale": "resnet20", "export": compared}
    args.networks = args.networks or defaults.get(args.what)
    if args.what == "torch_worker":
        return torch_worker(args.networks, args.samples)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or temporary
        if args.what == "export":
            for name in args.networks.split(","):
                print(*export(name, args.samples or NETWORKS[name][0], folder))
        else:
            {"ratios": ratios, "traces": traces, "scale": scale, "depth": depth}[args.what](args, folder)


if __name__ == "__main__":
    main()
