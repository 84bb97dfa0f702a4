"""Figures on judges: which pictures nobody beats, and who agrees with the votes."""

from collections.abc import Collection, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from nst.judges import undominated
from nst.plots.common import LOGARITHMIC, QUIET, WIDTH, Shown

# Okabe and Ito's colours, which colour-blind readers tell apart; the marks do so without colour.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKS = "osD^vPX"
PLACES = ((6, 5), (7, -10), (-20, -10))  # of notes, in points: those of near points stay apart
DOTS = 90  # an inch
Point = tuple[float, float]


def fronts(
    panels: Mapping[str, Mapping[str, Sequence[Point]]],
    notes: Sequence[str] = (),
    names: tuple[str, str] = ("content changed", "style left"),
) -> Figure:
    """Pareto fronts: the same pictures in the eyes of several judges, a panel for each.

    Marks are filled where no other picture is better in one and as good in the other, and hollow
    elsewhere; a stepped line through the filled ones bounds what they beat. Both axes are
    logarithmic.

    Args:
        panels: for each judge the points (x, y) above 0 of each group of pictures; lower is better.
        notes: what the points are called, in their order, in groups of as many.
        names: of x and y.
    """
    width = WIDTH / 2 * len(panels)
    figure = Shown(figsize=(width, 0.42 * WIDTH), dpi=DOTS, layout="constrained")
    told = []
    for axes, (judge, groups) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        on_front = _draw_front(axes, groups, notes)
        axes.set(xscale="log", yscale="log")
        axes.set(xlabel=f"{names[0]} ({LOGARITHMIC})", ylabel=f"{names[1]} ({LOGARITHMIC})")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(FormatStrFormatter("%g"))
            axis.set_minor_formatter(NullFormatter())
        axes.set_title(judge, fontsize="medium")
        axes.grid(which="both", color="#E4E4E4", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(0.12)
        told.append(f"{judge}: on the front {', '.join(on_front)}")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels) or 1, frameon=False
    )
    figure.alt = f"Pictures by {names[0]} and {names[1]}. {'; '.join(told)}."
    return figure


def _draw_front(
    axes: Axes, groups: Mapping[str, Sequence[Point]], notes: Sequence[str]
) -> list[str]:
    """The points of one judge; returns what those on the front are called."""
    points = [point for group in groups.values() for point in group]
    best = dict(zip(points, undominated(points), strict=True))
    on_front = []
    for index, (name, group) in enumerate(groups.items()):
        colour, mark = COLOURS[index % len(COLOURS)], MARKS[index % len(MARKS)]
        axes.plot([], [], mark, color=colour, label=name)
        for place, point in enumerate(group):
            inside = colour if best[point] else "white"
            axes.plot(*point, mark, color=colour, markerfacecolor=inside, markersize=7)
            note = notes[place] if len(notes) == len(group) else ""
            axes.annotate(
                note, point, PLACES[index % 3], textcoords="offset points", fontsize=8, color=QUIET
            )
            on_front += [f"{name} {note}".strip()] if best[point] else []
    xs, ys = zip(*sorted(point for point in points if best[point]), strict=True)
    axes.plot(xs, ys, color=QUIET, linewidth=0.9, drawstyle="steps-post", zorder=0)
    return on_front


def correlations(
    values: Mapping[str, float], chance: float, marked: Collection[str] = (), title: str = ""
) -> Figure:
    """Each judge's rank correlation with the votes, as a dot, over what chance alone brings.

    Args:
        values: from -1 to 1, by judge.
        chance: how far from 0 chance alone comes; the band up to there is grey.
        marked: judges that are drawn hollow, since they had a part in the votes.
        title: what to see.
    """
    height = 0.26 * len(values) + 1.0
    figure = Shown(figsize=(0.8 * WIDTH, height), dpi=DOTS, layout="constrained")
    axes = figure.subplots()
    axes.axvspan(-chance, chance, color="#ECECEC")
    axes.axvline(0, color=QUIET, linewidth=0.8)
    for row, (name, value) in enumerate(values.items()):
        inside = "white" if name in marked else COLOURS[0]
        axes.plot(value, row, "o", color=COLOURS[0], markerfacecolor=inside, markersize=7)
    axes.set_yticks(range(len(values)), list(values))
    axes.set(xticks=(-1, -0.5, 0, 0.5, 1), xlim=(-1.05, 1.05), ylim=(len(values) - 0.5, -0.5))
    axes.set_xlabel("rank correlation with the votes; grey: what chance alone brings")
    axes.set_title(title, fontsize="medium")
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    told = ", ".join(f"{name} {value:.2f}" for name, value in values.items())
    figure.alt = f"{title}. Rank correlations: {told}; chance alone brings {chance:.2f}."
    return figure
