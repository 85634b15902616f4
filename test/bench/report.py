"""What a run measured: one table, each figure beside its goal, and a file of it for plots.

The file keeps the latest figures of each part, so that parts can be run one by one.
"""
import datetime
import json
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Goal:
    """A bound, whether it is met, and how many times (1: just so; None: it is no number)."""

    def __init__(self, text, is_met, reach=None):
        self.text = text
        self.is_met = is_met
        self.reach = reach

    def fields(self):
        return {"goal": self.text, "is_met": self.is_met, "reach": self.reach}


def at_least(limit, figure, unit=""):
    return Goal(">= %s%s" % (limit, unit and " " + unit), figure >= limit, max(figure, 0) / limit)


def at_most(limit, figure, unit=""):
    return Goal("<= %s%s" % (limit, unit and " " + unit), figure <= limit, limit / max(figure, limit / 1000))


def demand(text, is_met):
    return Goal(text, is_met)


class Report:
    """The lines of a run, part by part; file: where they are kept."""

    def __init__(self, file):
        self.file = file
        self.parts = {}
        self.lines = []

    def begin(self, part):
        self.lines = self.parts[part] = []

    def note(self, what, figure, goal=None):
        """A line of the table; without a goal: a figure to look at."""
        self.lines.append((what, figure, goal))
        print("  %s: %s" % (what, figure), flush=True)

    def print(self, rounds):
        lines = [("what", "figure", "goal", "")] + [
            (what, figure, goal.text if goal else "", verdict(goal))
            for part in self.parts.values() for what, figure, goal in part]
        widths = [max(len(line[i]) for line in lines) for i in range(3)]
        print()
        for line in lines:
            print("  ".join("%-*s" % pair for pair in zip(widths + [0], line)).rstrip())
        print("\nOne machine, %d cores, client and servers on it, load %.1f now. The driver's own\n"
              "figures are the best of %d rounds, those with servers the median.\n"
              "Rates move by half and more from run to run where the machine is shared: compare ratios\n"
              "and CPU per item, not rates, with another run's." % (os.cpu_count(), os.getloadavg()[0], rounds))

    def save(self, part, rounds):
        """Keep a part, whose measurements went well."""
        kept = load(self.file)
        kept[part] = {
            "date": datetime.date.today().isoformat(), "commit": commit(),
            "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "rounds": rounds,
            "lines": [dict(what=what, figure=figure, **(goal.fields() if goal else {}))
                      for what, figure, goal in self.parts[part]]}
        with open(self.file + ".new", "w") as file:
            json.dump(kept, file, indent=1)
        os.rename(self.file + ".new", self.file)


def verdict(goal):
    return "" if goal is None else "met" if goal.is_met else "MISSED"


def load(path):
    """The figures that were kept, by part."""
    if not os.path.exists(path):
        return {}
    with open(path) as file:
        return json.load(file)


def commit():
    """Of the sources; with a mark where they are not quite its."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=TOP, text=True, capture_output=True)
    return done.stdout.strip()
