"""exposition.py: a strict reader of Prometheus text 0.0.4 and OpenMetrics 1.0.0.

It takes what a scraper takes, and raises Malformed for what a scraper or `promtool check metrics` would complain of:
families in one piece, TYPE before samples, no sample twice; strictly also histograms whole, cumulative and in order,
and no name that two families share.
"""
import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)(?: (\S+))?$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
COMMENT = re.compile(rf"# (HELP|TYPE|UNIT) ({NAME}) ?(.*)$")

SUFFIXES = {
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("", "_sum", "_count"),
}
OPENMETRICS_SUFFIXES = {**SUFFIXES, "counter": ("_total",)}


class Malformed(Exception):
    pass


class Family:
    def __init__(self, name):
        self.name = name
        self.kind = "untyped"
        self.help = None
        self.unit = None
        self.samples = {}  # (name, labels sorted) -> value, in the order they stand

    def suffixes(self, openmetrics):
        table = OPENMETRICS_SUFFIXES if openmetrics else SUFFIXES
        return table.get(self.kind, ("",))


class Exposition:
    """What was exposed: families by name."""

    def __init__(self, openmetrics):
        self.openmetrics = openmetrics
        self.families = {}

    def samples(self):
        for family in self.families.values():
            yield from family.samples.items()

    def value(self, name, **labels):
        """The value of that sample; None when it is not there."""
        wanted = (name, tuple(sorted(labels.items())))
        return dict(self.samples()).get(wanted)

    def sum(self, name):
        """Over all series of that name, overflow series included."""
        return math.fsum(value for (found, _), value in self.samples() if found == name)

    def labels(self, name):
        """The label sets of that name's samples."""
        return [dict(labels) for (found, labels), _ in self.samples() if found == name]

    def names(self):
        return {name for (name, _), _ in self.samples()}


def _labels(text):
    labels, at = [], 0
    while at < len(text):
        match = LABEL.match(text, at)
        if match is None:
            raise Malformed(f"labels: {text}")
        value = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], match[2])
        labels.append((match[1], value))
        at = match.end()
    if len({name for name, _ in labels}) < len(labels):
        raise Malformed(f"a label twice: {text}")
    return tuple(sorted(labels))


def _open_family(exposition, current, name):
    """The family a comment line is about: the current one, or a new one."""
    if current is not None and current.name == name:
        return current
    if name in exposition.families:
        raise Malformed(f"family {name} is in two pieces")
    family = exposition.families[name] = Family(name)
    return family


def _comment(exposition, current, line):
    match = COMMENT.match(line)
    if match is None:
        raise Malformed(f"comment: {line}")
    family = _open_family(exposition, current, match[2])
    if family.samples:
        raise Malformed(f"{match[1]} behind samples of {family.name}")
    if match[1] == "TYPE":
        family.kind = match[3]
    elif match[1] == "HELP":
        family.help = match[3]
    else:
        family.unit = match[3]
    return family


def _sample(exposition, current, line):
    match = SAMPLE.match(line)
    if match is None:
        raise Malformed(f"sample: {line}")
    name, labels = match[1], _labels(match[2] or "")
    if current is None or name not in {current.name + suffix for suffix
                                       in current.suffixes(exposition.openmetrics)}:
        if exposition.openmetrics or name in exposition.families:
            raise Malformed(f"{name} stands within {current and current.name}")
        current = _open_family(exposition, current, name)
    if (name, labels) in current.samples:
        raise Malformed(f"twice: {line}")
    current.samples[name, labels] = float(match[3])
    return current


def _check_histogram(family):
    children = {}
    for (name, labels), value in family.samples.items():
        bare = tuple(label for label in labels if label[0] != "le")
        child = children.setdefault(bare, {"buckets": []})
        if name.endswith("_bucket"):
            child["buckets"].append((float(dict(labels)["le"]), value))
        else:
            child[name[len(family.name):]] = value
    for labels, child in children.items():
        if ("otel_metric_overflow", "true") in labels:
            continue  # parts overflow one by one: each is right, and they need not be of the same children
        buckets = child["buckets"]
        counts = [count for _, count in buckets]
        if buckets != sorted(buckets) or counts != sorted(counts):
            raise Malformed(f"buckets of {family.name}{labels} are not cumulative and in order: {buckets}")
        if not buckets or buckets[-1][0] != math.inf:
            raise Malformed(f"{family.name}{labels} has no +Inf bucket")
        if child.get("_count", buckets[-1][1]) != buckets[-1][1]:
            raise Malformed(f"{family.name}{labels}: _count is not the +Inf bucket")


def _check_names(exposition):
    """No family may have the name of another's sample."""
    owners = {}
    for family in exposition.families.values():
        if exposition.openmetrics and family.unit and not family.name.endswith("_" + family.unit):
            raise Malformed(f"{family.name} does not end in its unit {family.unit}")
        for suffix in {"", *family.suffixes(exposition.openmetrics)}:
            if owners.setdefault(family.name + suffix, family) is not family:
                raise Malformed(f"{family.name}{suffix} belongs to two families")


def _check_families(exposition):
    for family in exposition.families.values():
        if family.kind == "histogram":
            _check_histogram(family)
    _check_names(exposition)


def parse(text, openmetrics=False, strict=False):
    """Reads the whole; `strict` looks at families as a whole too."""
    exposition = Exposition(openmetrics)
    current = None
    if text and not text.endswith("\n"):
        raise Malformed("the last line has no end")
    lines = text.split("\n")[:-1]
    if openmetrics and (not lines or lines.pop() != "# EOF"):
        raise Malformed("there is no # EOF at the end")
    for line in lines:
        if line.startswith("#"):
            current = _comment(exposition, current, line)
        elif line:
            current = _sample(exposition, current, line)
    if strict:
        _check_families(exposition)
    return exposition
