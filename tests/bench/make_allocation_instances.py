#!/usr/bin/env python3
"""Writes allocation problems like those of real networks, for allocation_bench and compare_allocation.py.

    tests/bench/make_allocation_instances.py FOLDER [--seed N]

One gzipped JSON file a problem (schema bitplan.mmkp.v1: budget[m]; groups[L] with obj[K] and cost[K][m]; ties). Shapes:
cnn (16 convolutions of a residual network) and llm (3 matrices of a transformer block), repeated to 50, 224, 1000 or
5000 layers; options are weight x activation bits; resources size, BOPs, latency (noisy), energy, activation traffic;
sensitivity falls fourfold a bit times a log-normal layer scale and some noise; budgets at 0.2 to 0.6 of the way from
least to most.
"""
import argparse
import gzip
import json
import pathlib

import numpy

# parameters, multiply-adds, activation values of one layer
CNN = [(k * k * i * o, k * k * i * o * s * s, i * s * s)
       for k, i, o, s in [(3, 64, 64, 56), (1, 64, 256, 56), (1, 256, 64, 56), (1, 256, 128, 56), (3, 128, 128, 28),
                          (1, 128, 512, 28), (1, 512, 128, 28), (1, 512, 256, 28), (3, 256, 256, 14), (1, 256, 1024, 14),
                          (1, 1024, 256, 14), (1, 1024, 512, 14), (3, 512, 512, 7), (1, 512, 2048, 7), (1, 2048, 512, 7),
                          (3, 3, 64, 112)]]
LLM = [(i * o, i * o * 512, i * 512) for i, o in [(4096, 4096), (4096, 11008), (11008, 4096)]]
BITS = {2: ((4, 8), (8,)), 4: ((2, 3, 4, 8), (8,)), 8: ((2, 3, 4, 8), (4, 8)), 16: ((2, 3, 4, 5, 6, 7, 8, 16), (4, 8)),
        64: (range(1, 9), range(1, 9))}
CASES = [("cnn", 50, k, m) for k in (4, 16) for m in (1, 2, 3, 5)] + \
        [("llm", 224, k, m) for k in (4, 16, 64) for m in (1, 2, 3, 5)] + \
        [("cnn", 224, k, m) for k in (8, 64) for m in (1, 2, 3, 5)] + \
        [("llm", 1000, k, m) for k in (4, 16, 64) for m in (1, 2, 3, 5)] + \
        [("cnn", 1000, k, m) for k in (4, 64) for m in (1, 2, 3, 5)] + \
        [("llm", 5000, k, m) for k in (4, 64) for m in (1, 2, 3, 5)] + \
        [("cnn", 5000, k, m) for k in (8, 64) for m in (1, 3)]


def problem(family, layers, options, rows, rng):
    shapes = CNN if family == "cnn" else LLM
    weight_bits, activation_bits = BITS[options]
    groups = []
    for _ in range(layers):
        parameters, macs, values = shapes[rng.integers(len(shapes))]
        scale = numpy.exp(rng.normal(0, 1.5)) * parameters / 1e6
        objective, cost = [], []
        for w in weight_bits:
            for a in activation_bits:
                noise = numpy.exp(rng.normal(0, 0.1))
                objective.append(float(scale * (4.0 ** -w + 0.3 * 4.0 ** -a) * noise))
                latency = 1e-9 * macs * (1 + 0.1 * w * a) * numpy.exp(rng.normal(0, 0.05)) + 5
                energy = 1e-6 * macs * (0.2 + 0.01 * w * a) + 1e-5 * parameters * w
                cost.append([parameters * w, macs * w * a, round(float(latency), 4), round(float(energy), 4), values * a][:rows])
        groups.append({"obj": objective, "cost": cost})
    costs = [numpy.array(group["cost"]) for group in groups]
    least = sum(cost.min(axis=0) for cost in costs)
    most = sum(cost.max(axis=0) for cost in costs)
    level = rng.uniform(0.2, 0.6)
    budget = [float(low + (level + rng.uniform(-0.05, 0.05)) * (high - low)) for low, high in zip(least, most)]
    return {"schema": "bitplan.mmkp.v1", "name": f"{family}-L{layers}-K{options}-m{rows}", "budget": budget,
            "groups": groups, "ties": []}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(CASES):
        made = problem(*case, numpy.random.default_rng([arguments.seed, number]))
        with gzip.open(arguments.folder / f"{made['name']}.json.gz", "wt", compresslevel=1) as file:
            json.dump(made, file)


if __name__ == "__main__":
    main()
