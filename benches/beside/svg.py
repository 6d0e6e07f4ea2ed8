"""A line chart as SVG: no library, no background, colours that can be read on white and on black."""
import math
from dataclasses import dataclass
from html import escape

COLOURS = ("#3b82f6", "#d97706", "#16a34a", "#a855f7")
GREY = "#7d8794"
WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 32, 92, 52


@dataclass
class Series:
    label: str
    colour: int
    points: list
    dashed: bool = False


@dataclass
class Chart:
    title: str
    x: str
    y: str
    series: list
    xlog: bool = False
    ylog: bool = False

    def drawn(self):
        return [s for s in self.series if s.points]

    def svg(self):
        series = self.drawn()
        xs = sorted({x for s in series for x, _ in s.points})
        ys = [y for s in series for _, y in s.points]
        low, high = limits(ys, self.ylog)
        across = scale(min(xs), max(xs), LEFT, WIDTH - RIGHT, self.xlog)
        up = scale(low, high, HEIGHT - BOTTOM, TOP, self.ylog)
        out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui,sans-serif" font-size="12" fill="{GREY}" role="img">',
               f"<title>{escape(self.title)}</title>", text(LEFT, 20, self.title, size=15, weight=600)]
        for value in ticks(low, high, self.ylog):
            y = up(value)
            out += [line(LEFT, y, WIDTH - RIGHT, y, faint=True), text(LEFT - 8, y + 4, number(value), "end")]
        for value in thin(xs, across):
            x = across(value)
            out += [line(x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 5), text(x, HEIGHT - BOTTOM + 20, number(value), "middle")]
        out += [line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM),
                text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, self.x, "middle"), text(LEFT - 48, TOP - 10, self.y)]
        for s in series:
            out += curve(s, across, up)
        out += legend(series) + ["</svg>"]
        return "\n".join(out) + "\n"


def curve(s, across, up):
    at = [(across(x), up(y)) for x, y in s.points]
    colour = COLOURS[s.colour % len(COLOURS)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    dash = ' stroke-dasharray="5 4"' if s.dashed else ""
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'] + [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in at]


def legend(series):
    out, x, y = [], LEFT, 42
    for s in series:
        width = 48 + 6.8 * len(s.label)
        if x + width > WIDTH - RIGHT and x > LEFT: x, y = LEFT, y + 18
        dash = ' stroke-dasharray="5 4"' if s.dashed else ""
        out += [f'<line x1="{x:.0f}" y1="{y - 4}" x2="{x + 20:.0f}" y2="{y - 4}" stroke="{COLOURS[s.colour % len(COLOURS)]}" stroke-width="2"{dash}/>', text(x + 25, y, s.label)]
        x += width
    return out


def text(x, y, words, anchor="start", size=None, weight=None):
    more = (f' font-size="{size}"' if size else "") + (f' font-weight="{weight}"' if weight else "") + (f' text-anchor="{anchor}"' if anchor != "start" else "")
    return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(words)}</text>'


def line(x1, y1, x2, y2, faint=False):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{GREY}" stroke-width="1"' + (' stroke-opacity=".25"' if faint else "") + "/>"


def scale(low, high, start, end, log):
    f = math.log10 if log else float
    span = f(high) - f(low) or 1.0
    return lambda v: start + (f(v) - f(low)) / span * (end - start)


def limits(values, log):
    """Where an axis begins and ends: at zero, or, where it is logarithmic, at a 1, 2 or 5."""
    high = max(values)
    if not log:
        step = nice(high / 5 or 1)
        return 0, step * math.ceil(high / step)
    steps = [m * 10.0 ** e for e in range(-3, 10) for m in (1, 2, 5)]
    return max(s for s in steps if s <= min(values)), min(s for s in steps if s >= high)


def nice(step):
    power = 10.0 ** math.floor(math.log10(step))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= step * 0.999)


def ticks(low, high, log):
    if log:
        for steps in ((1, 2, 5), (1, 3), (1,)):
            found = [m * 10.0 ** e for e in range(-3, 10) for m in steps if low <= m * 10.0 ** e <= high]
            if len(found) <= 9: break
        return found
    step = nice((high - low) / 5 or 1)
    return [low + step * i for i in range(int(round((high - low) / step)) + 1)]


def thin(values, across, apart=34):
    """The marks of an axis that do not touch."""
    out = []
    for v in values:
        if not out or across(v) - across(out[-1]) >= apart: out.append(v)
    return out


def number(v):
    if v >= 10: return f"{v:,.0f}"
    return f"{v:.2f}".rstrip("0").rstrip(".")
