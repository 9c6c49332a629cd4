"""Draws the pictures of `docs/benchmarks.md`: `python benchmarks/plots.py RESULTS FORM FOLDER`; prints their names."""

import json
import sys
from pathlib import Path
from statistics import median

import matplotlib as mpl

mpl.use("svg")
# The same figures give the same file.
mpl.rcParams["svg.hashsalt"] = "assay"
import matplotlib.pyplot as plt  # noqa: E402

COLOURS = {"recent": "tab:blue", "scattered": "tab:orange"}


def kept(folder: Path, pattern: str) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob(pattern))]


def finish(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    print(path.name)


def whole(run: dict) -> float:
    return run["silver"]["whole"] + run["gold"]["whole"]


def growth(seeds: list[dict], path: Path) -> None:
    """Draw the seconds of an increment over the size of the history."""
    figure, axes = plt.subplots(figsize=(7, 4))
    for keys, colour in COLOURS.items():
        points = [
            (int(size) / 1e6, whole(run))
            for found in seeds
            for size, bed in found["beds"].items()
            for run in bed.get("increments", {}).get(keys, [])
        ]
        sizes = sorted({size for size, _ in points})
        axes.plot(sizes, [median(s for at, s in points if at == size) for size in sizes], color=colour, label=keys)
        axes.scatter(*zip(*points, strict=True), color=colour, s=12) if points else None
    axes.set(xlabel="rows of history, millions", ylabel="seconds, Silver + Gold", ylim=(0, None))
    axes.set_title("An increment of 10,000 rows")
    axes.legend()
    finish(figure, path)


def waterfall(found: dict, path: Path) -> None:
    """Draw the stages of the median file, one below the other."""
    files = sorted(found["files"], key=lambda each: each["published_after"])
    spans = files[len(files) // 2]["spans"]
    figure, axes = plt.subplots(figsize=(8, 0.24 * len(spans) + 1.2))
    begin = 0.0
    for number, span in enumerate(spans):
        colour = next(
            (c for name, c in (("Silver", "tab:gray"), ("Gold", "goldenrod")) if name in span["part"]), "tab:blue"
        )
        axes.barh(number, span["end"] - begin, left=begin, color="lightgray" if "wait" in span["part"] else colour)
        begin = span["end"]
    axes.set_yticks(range(len(spans)), [span["part"] for span in spans], fontsize=7)
    axes.invert_yaxis()
    axes.set(xlabel="seconds after the upload", title="The stages of a file of 10,000 rows")
    finish(figure, path)


def consecutive(found: dict, path: Path) -> None:
    """Draw the seconds of increments in a row."""
    figure, axes = plt.subplots(figsize=(7, 3.5))
    for layer, colour in (("silver", "tab:gray"), ("gold", "goldenrod")):
        axes.plot([run[layer]["whole"] for run in found["increments"]], color=colour, label=layer.capitalize())
    axes.set(xlabel="increment", ylabel="seconds of the whole process", ylim=(0, None), title="Increments in a row")
    axes.legend()
    finish(figure, path)


def readers(found: dict, path: Path) -> None:
    """Draw the seconds of the readers of a file that several have read."""
    figure, axes = plt.subplots(figsize=(7, 3.5))
    kinds = list(found["files"])
    names = list(dict.fromkeys(name for file in found["files"].values() for name in file["readers"]))
    for number, name in enumerate(names):
        read = {place: found["files"][kind]["readers"].get(name) for place, kind in enumerate(kinds)}
        seconds = {place: median(run["wall"] for run in runs) for place, runs in read.items() if runs}
        axes.bar([place + number * 0.12 for place in seconds], list(seconds.values()), width=0.12, label=name)
    axes.set_xticks([place + 0.3 for place in range(len(kinds))], kinds)
    axes.set(ylabel="seconds of the whole process", title=f"The figures of a file of {found['rows']:,} rows")
    axes.legend(fontsize=8)
    finish(figure, path)


def main() -> None:
    source, profile, folder = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    if seeds := kept(source, f"layers-seed*-{profile}.json"):
        growth(seeds, folder / "growth.svg")
    if files := kept(source, f"kpi-*-{profile}.json"):
        readers(files[0], folder / "kpi.svg")
    for draw, name in ((waterfall, "stages"), (consecutive, "in-a-row")):
        for found in kept(source, f"{name}-{profile}.json"):
            draw(found, folder / f"{name}.svg")


if __name__ == "__main__":
    main()
