"""`./enkan sim`: the whole core with vehicles and people, on a virtual clock.

./enkan sim                       1,000 seeds of 60 s each
./enkan sim --seed 17 --trace     one seed, line by line
./enkan sim --control --seeds 100000
                                  who has control of what, and nothing else
./enkan sim --mutants             seeded bugs: each must be found
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

CHUNK: Final = 10
CONTROL_CHUNK: Final = 250
MUTANT_SEEDS: Final = 400
KEPT_PROBLEMS: Final = 3


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="enkan sim", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1_000, help="how many (1000)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--seconds", type=float, default=60.0, help="simulated, each (60)")
    parser.add_argument("--within", type=float, help="begin no seed after this many real seconds")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="with --seed: print all of it")
    parser.add_argument("--control", action="store_true", help="control alone, fast")
    parser.add_argument("--mutants", action="store_true", help="must all be found")
    parser.add_argument("--only", default="", help="with --mutants: these, separated by commas")
    parser.add_argument("--mutant", default="", help="run with this seeded bug")
    parser.add_argument("--json", action="store_true", help="one line of JSON at the end")
    options = parser.parse_args()
    if options.mutants:
        return mutants(options)
    if options.mutant:
        from sim.mutants import BY_NAME, apply

        if options.mutant not in BY_NAME:
            parser.error(f"unknown mutant; known: {', '.join(BY_NAME)}")
        apply(BY_NAME[options.mutant])
        if options.seed is None:
            return one_mutant(options)
    if options.control:
        return control(options)
    if options.seed is not None:
        return one_seed(options)
    return all_seeds(options)


def one_seed(options: argparse.Namespace) -> int:
    """Run one seed and say what came of it."""
    from sim.simulation import run_seed

    found = run_seed(options.seed, options.seconds, print if options.trace else None)
    if found.problem:
        print(f"seed {found.seed}: {found.problem}")
    print(
        f"seed {found.seed}: trace {found.digest}, {found.resumes} resumes, "
        f"{found.stops} stops, {found.grants} grants"
    )
    return 1 if found.problem else 0


def chunk(arguments: tuple[int, int, float]) -> list[Any]:
    """Run some seeds in a process of the pool."""
    from sim.simulation import run_seed

    if not gc.get_freeze_count():  # as the hub does: what is loaded is not looked at again
        gc.collect()
        gc.freeze()
    first, count, seconds = arguments
    return [run_seed(seed, seconds) for seed in range(first, first + count)]


def all_seeds(options: argparse.Namespace) -> int:
    """Run many seeds in several processes; print the first violations."""
    began = time.monotonic()
    last = options.first + options.seeds
    work = [
        (first, min(CHUNK, last - first), options.seconds)
        for first in range(options.first, last, CHUNK)
    ]
    digest = hashlib.sha256()
    problems = resumes = stops = grants = ran = 0
    # Fresh interpreters: hash seeds differ, so that an order that leaks would show.
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for results in pool.imap(chunk, work):
            for found in results:
                ran += 1
                digest.update(found.digest.encode())
                resumes += found.resumes
                stops += found.stops
                grants += found.grants
                if not found.problem:
                    continue
                problems += 1
                if problems <= KEPT_PROBLEMS:
                    print(f"seed {found.seed}: {found.problem}")
                    print(f"  again: ./enkan sim --seed {found.seed} --trace", flush=True)
            if options.within is not None and time.monotonic() - began > options.within:
                break
    took = time.monotonic() - began
    simulated = ran * options.seconds
    if ran < options.seeds:
        print(f"only {ran} of {options.seeds} seeds: the time of --within was over")
    print(
        f"{ran} seeds × {options.seconds:.0f} s in {took:.1f} s "
        f"({simulated / took:.0f} × real time, {options.processes} processes): "
        f"{problems} with violations; {resumes} resumes, {stops} stops and {grants} grants "
        f"of control judged; "
        f"trace {digest.hexdigest()[:16]}"
    )
    if options.json:
        facts = {"seeds": ran, "violations": problems, "took_s": round(took, 1)}
        facts |= {"trace": digest.hexdigest(), "resumes": resumes, "stops": stops}
        print(json.dumps(facts | {"grants": grants}))
    return 1 if problems else 0


def control_chunk(arguments: tuple[int, int]) -> tuple[int, int, list[tuple[int, str]]]:
    """Run some seeds of control alone; return how many, grants, and what does not hold."""
    from sim.control_sim import run_control

    first, count = arguments
    held, problems = 0, []
    for seed in range(first, first + count):
        grants, problem = run_control(seed)
        held += grants
        if problem:
            problems.append((seed, problem))
    return count, held, problems


def control(options: argparse.Namespace) -> int:
    """Run many seeds of control alone in several processes."""
    if options.seed is not None:
        options.first, options.seeds = options.seed, 1
    began = time.monotonic()
    last = options.first + options.seeds
    work = [
        (first, min(CONTROL_CHUNK, last - first))
        for first in range(options.first, last, CONTROL_CHUNK)
    ]
    ran = held = bad = 0
    with multiprocessing.get_context("spawn").Pool(min(options.processes, len(work))) as pool:
        for count, grants, problems in pool.imap_unordered(control_chunk, work):
            ran, held = ran + count, held + grants
            for seed, problem in problems:
                bad += 1
                if bad <= KEPT_PROBLEMS:
                    print(f"seed {seed}: {problem}", flush=True)
            if options.within is not None and time.monotonic() - began > options.within:
                break
    print(
        f"control: {ran} seeds in {time.monotonic() - began:.1f} s: {bad} with violations; "
        f"somebody had control {held} times"
    )
    return 1 if bad else 0


def one_mutant(options: argparse.Namespace) -> int:
    """Run seeds with a seeded bug until one finds it; print it as JSON."""
    from sim.simulation import run_seed

    for tried in range(options.seeds):
        found = run_seed(options.first + tried, options.seconds)
        if found.problem:
            first_line = found.problem.splitlines()[0]
            print(json.dumps({"seeds": tried + 1, "problem": first_line}))
            return 0
    print(json.dumps({"seeds": options.seeds, "problem": ""}))
    return 1


def mutants(options: argparse.Namespace) -> int:
    """Run every seeded bug in a process of its own; print a table."""
    from sim.mutants import MUTANTS

    only = options.only.split(",") if options.only else [mutant.name for mutant in MUTANTS]
    chosen = [mutant for mutant in MUTANTS if mutant.name in only]
    if len(chosen) != len(only):
        print(f"unknown among {options.only}; known: {', '.join(m.name for m in MUTANTS)}")
        return 2
    seeds = min(options.seeds, MUTANT_SEEDS)
    began = time.monotonic()

    def run(name: str) -> dict[str, Any]:
        command = [sys.executable, __file__, "--mutant", name, "--seeds", str(seeds)]
        command += ["--first", str(options.first), "--seconds", str(options.seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        try:
            found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        except (ValueError, IndexError):
            told = done.stderr.strip().splitlines()
            found = {"seeds": 0, "problem": "", "error": told[-1] if told else "it said nothing"}
        return found

    survivors = 0
    with ThreadPoolExecutor(options.processes) as pool:
        names = [mutant.name for mutant in chosen]
        for mutant, found in zip(chosen, pool.map(run, names), strict=True):
            if found["problem"]:
                verdict = f"found by seed {options.first + found['seeds'] - 1}"
            else:
                survivors += 1
                verdict = found.get("error") or f"SURVIVED {found['seeds']} seeds"
            print(f"{mutant.name:26} {verdict:18} {mutant.what}")
            if found["problem"]:
                print(f"{'':26} {found['problem'][:150]}", flush=True)
    took = time.monotonic() - began
    print(f"{len(chosen)} seeded bugs, {len(chosen) - survivors} found, in {took:.1f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
