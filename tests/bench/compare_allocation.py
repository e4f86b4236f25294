#!/usr/bin/env python3
"""Our allocation solver against CBC (and HiGHS) on a folder of problems, CPU seconds of one thread, in one run.

    tests/bench/compare_allocation.py FOLDER [--bench build/bin/allocation_bench] [--limit 20] [--cbc-limit 20]
        [--highs-limit 0] [--only TEXT] [--json FILE]

Problems as allocation_bench reads them (schema bitplan.mmkp.v1). A limit of 0 leaves that solver out. CBC runs inside
allocation_bench, HiGHS through SciPy (rows scaled to 1000, objective to a range of 10^4, gap 0); neither side pays for
reading, process start or building a model. Prints a line a problem and a table by family: how many each solver proved,
our median and slowest, and the geometric mean of the ratios over the problems that both sides proved. An objective of a
problem that both proved and that differs by more than 1e-8 is reported as DIFFERENT and fails the run.
"""
import argparse
import gzip
import json
import math
import pathlib
import re
import statistics
import subprocess
import sys
import time


def run_bench(bench, solver, limit, repeat, path):
    command = [bench, "--solver", solver, "--limit", str(limit), "--repeat", str(repeat), str(path)]
    fields = subprocess.run(command, check=True, capture_output=True, text=True).stdout.rstrip("\n").split("\t")
    found = fields[5] not in ("infeasible",) and fields[7] != "inf"
    return {"proved": fields[5] == "optimal", "objective": float(fields[6]) if found else None, "gap": float(fields[7]),
            "seconds": float(fields[9]) / 1000}


def run_highs(limit, path):
    import numpy
    import scipy.optimize
    import scipy.sparse
    with gzip.open(path, "rt") as file:
        problem = json.load(file)
    group_of = list(range(len(problem["groups"])))
    for tied in problem["ties"]:
        for member in tied:
            group_of[member] = group_of[tied[0]]
    merged = {}
    for number, group in enumerate(problem["groups"]):
        objective, cost = numpy.array(group["obj"]), numpy.array(group["cost"])
        before = merged.get(group_of[number], (0, 0))
        merged[group_of[number]] = (before[0] + objective, before[1] + cost)
    objective = numpy.concatenate([entry[0] for entry in merged.values()])
    cost = numpy.concatenate([entry[1] for entry in merged.values()])
    budget = numpy.array(problem["budget"])
    counts = [len(entry[0]) for entry in merged.values()]
    one = scipy.sparse.csr_matrix((numpy.ones(sum(counts)), (numpy.repeat(range(len(counts)), counts), range(sum(counts)))))
    rows = scipy.sparse.csr_matrix((cost * (1000 / budget)).T)
    scale = 1e4 / max(numpy.ptp(objective), 1e-300)
    start = time.process_time()
    answer = scipy.optimize.milp(
        objective * scale, integrality=numpy.ones(len(objective)), bounds=scipy.optimize.Bounds(0, 1),
        constraints=[scipy.optimize.LinearConstraint(one, 1, 1), scipy.optimize.LinearConstraint(rows, -numpy.inf, 1000)],
        options={"time_limit": limit, "mip_rel_gap": 0})
    seconds = time.process_time() - start
    found = answer.x is not None
    value = float(objective[answer.x > 0.5].sum()) if found else None
    return {"proved": answer.status == 0, "objective": value, "gap": answer.mip_gap if found else math.inf,
            "seconds": seconds}


def family_of(name):
    match = re.fullmatch(r"(cnn|llm)-L(\d+)-K\d+-m(\d+)", name)
    if not match:
        return name.split("-")[0] + (", one budget" if name.endswith("-m1") else "")
    budgets = "one budget" if match[3] == "1" else "several budgets"
    return f"networks, {budgets}, {int(match[2]):,} layers"


def ratio(rows, solver):
    both = [row for row in rows if solver in row and row["ours"]["proved"] and row[solver]["proved"]]
    if not both:
        return "-"
    logs = [math.log(max(row[solver]["seconds"], 1e-6) / max(row["ours"]["seconds"], 1e-6)) for row in both]
    return f"{math.exp(statistics.mean(logs)):.0f} (least {math.exp(min(logs)):.1f}, {len(both)} problems)"


def print_table(rows):
    families = {}
    for row in rows:
        families.setdefault(family_of(row["name"]), []).append(row)
    solvers = [solver for solver in ("cbc", "highs") if any(solver in row for row in rows)]
    print("| family | problems | ours proved, median, slowest |" + "".join(f" {s} proved, median | against {s} |" for s in solvers))
    print("| --- | --- | --- |" + " --- | --- |" * len(solvers))
    for family, members in sorted(families.items()):
        def cell(solver, with_slowest):
            have = [row[solver] for row in members if solver in row]
            times = sorted(entry["seconds"] for entry in have if entry["proved"])
            text = f"{len(times)} of {len(have)}"
            if times:
                text += f", {1000 * statistics.median(times):.3g} ms"
            return text + (f", {1000 * times[-1]:.3g} ms" if with_slowest and times else "")
        print(f"| {family} | {len(members)} | {cell('ours', True)} |"
              + "".join(f" {cell(s, False)} | {ratio(members, s)} |" for s in solvers))
    for solver in solvers:
        print(f"All families against {solver}: {ratio(rows, solver)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--bench", default="build/bin/allocation_bench")
    parser.add_argument("--limit", type=float, default=20)
    parser.add_argument("--cbc-limit", type=float, default=20)
    parser.add_argument("--highs-limit", type=float, default=0)
    parser.add_argument("--only", default="", help="a part of the names wanted")
    parser.add_argument("--json", type=pathlib.Path, help="also write the figures here")
    arguments = parser.parse_args()
    rows, different = [], 0
    for path in sorted(arguments.folder.glob("*.json.gz")):
        if arguments.only not in path.name:
            continue
        row = {"name": path.name[: -len(".json.gz")]}
        row["ours"] = run_bench(arguments.bench, "auto", arguments.limit, 1, path)
        if row["ours"]["seconds"] < 0.1:
            row["ours"] = run_bench(arguments.bench, "auto", arguments.limit, 5, path)
        if arguments.cbc_limit > 0:
            row["cbc"] = run_bench(arguments.bench, "cbc", arguments.cbc_limit, 1, path)
        if arguments.highs_limit > 0:
            row["highs"] = run_highs(arguments.highs_limit, path)
        line = row["name"]
        for solver in ("ours", "cbc", "highs"):
            if solver not in row:
                continue
            entry = row[solver]
            line += f"  {solver} {'proved' if entry['proved'] else 'gap %.1e' % entry['gap']} {1000 * entry['seconds']:.3f} ms"
            both = entry["proved"] and row["ours"]["proved"]
            if both and abs(entry["objective"] - row["ours"]["objective"]) > 1e-8 * abs(entry["objective"]):
                line += " DIFFERENT"
                different += 1
            elif entry["objective"] is not None and row["ours"]["objective"] > entry["objective"] * (1 + 1e-9):
                line += " better"
        print(line, flush=True)
        rows.append(row)
    print_table(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
