"""Page: one HTML file that needs nothing but itself, with headings, sentences, tables and pictures."""

from __future__ import annotations

import base64
import html
import math
import string
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twin.files import replace_file

STYLE = """
:root{--ink:#1d2733;--soft:#5b6875;--line:#dde3e8;--paper:#fff;--back:#f3f5f7;--blue:#0072b2;--good:#00734f;
--warn:#a14600}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);
font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif}
header{background:var(--paper);border-bottom:1px solid var(--line);padding:34px 0 18px}
header>div,main{max-width:1120px;margin:0 auto}
header>div{padding:0 24px}
h1{font-size:27px;line-height:1.25;font-weight:650;margin:0 0 10px}
h2{font-size:19px;margin:0 0 6px;font-weight:650}
h3{font-size:15px;margin:22px 0 6px;font-weight:650}
p{margin:6px 0;max-width:78ch}
nav{margin-top:14px;font-size:13px}
nav a{color:var(--blue);text-decoration:none;margin-right:18px}
nav a:hover{text-decoration:underline}
main{padding:18px 24px 60px}
section{background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:20px 24px;margin:16px 0}
.soft{color:var(--soft)}
.note{border-left:3px solid var(--blue);padding:2px 0 2px 14px;color:var(--soft)}
ul.say{margin:8px 0;padding-left:20px;max-width:90ch}
ul.say li{margin:5px 0}
.tiles{display:flex;flex-wrap:wrap;gap:12px;margin:12px 0 4px}
.tile{border:1px solid var(--line);border-radius:8px;padding:10px 16px;min-width:150px}
.tile b{display:block;font-size:22px;font-weight:650;font-variant-numeric:tabular-nums}
.tile span{font-size:12.5px;color:var(--soft)}
.scroll{overflow-x:auto;margin:10px 0}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;width:100%}
caption{text-align:left;color:var(--soft);padding:0 0 6px;font-size:13px}
th{text-align:left;font-weight:600;color:var(--soft);border-bottom:1.5px solid var(--line);padding:5px 10px;
vertical-align:bottom}
td{border-bottom:1px solid var(--line);padding:5px 10px;vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap}
td:first-child{white-space:nowrap}
td:last-child:not(.n){min-width:230px}
td.good{color:var(--good);font-weight:600}
td.warn{color:var(--warn);font-weight:600}
figure{margin:12px 0}
figure img{width:100%;height:auto;display:block}
figcaption{font-size:13px;color:var(--soft);margin-top:4px;max-width:100ch}
details{border-top:1px solid var(--line);padding:8px 0}
summary{cursor:pointer;font-weight:600}
summary span{font-weight:400;color:var(--soft);margin-left:10px}
footer{max-width:1120px;margin:0 auto;padding:0 24px 40px;color:var(--soft);font-size:12.5px}
@media print{body{background:#fff}section{border:none;padding:8px 0}details{display:block}nav{display:none}}
"""
FRAME = string.Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="$policy">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>$title</title><style>$style</style></head>
<body><header><div><h1>$title</h1><p class="note">$lead</p><nav>$links</nav></div></header>
<main>$body</main><footer>$foot</footer></body></html>
""")
DASH, MINUS = "\u2013", "\u2212"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Cell(str):
    """A table cell with a look: "good" or "warn"."""

    look: str

    def __new__(cls, text: Any, look: str) -> Cell:
        cell = super().__new__(cls, number(text))
        cell.look = look
        return cell


class Page:
    """A page that is built from top to bottom."""

    def __init__(self, title: str, lead: str = "") -> None:
        self.title, self.lead = title, lead
        self.parts: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.open = False

    def section(self, title: str, *sentences: str) -> None:
        """Start a section, with sentences below its title."""
        if self.open:
            self.parts.append("</section>")
        anchor = f"s{len(self.links) + 1}"
        self.links.append((anchor, title))
        self.parts.append(f'<section id="{anchor}"><h2>{html.escape(title)}</h2>')
        self.open = True
        for sentence in sentences:
            self.say(sentence)

    def say(self, sentence: str, look: str = "") -> None:
        """A paragraph; looks: "soft", "note"."""
        if sentence:
            start = f'<p class="{look}">' if look else "<p>"
            self.parts.append(f"{start}{html.escape(sentence)}</p>")

    def heading(self, text: str) -> None:
        """A heading inside a section."""
        self.parts.append(f"<h3>{html.escape(text)}</h3>")

    def points(self, sentences: Iterable[str]) -> None:
        """Sentences as a list; the words before a colon near the start are what the sentence is about."""
        items = "".join(f"<li>{_about(s)}</li>" for s in sentences)
        if items:
            self.parts.append(f'<ul class="say">{items}</ul>')

    def tiles(self, values: Mapping[str, str]) -> None:
        """Big numbers with what they are."""
        tiles = "".join(f'<div class="tile"><b>{html.escape(v)}</b><span>{html.escape(k)}</span></div>'
                        for k, v in values.items())
        self.parts.append(f'<div class="tiles">{tiles}</div>')

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> None:
        """A table; columns that hold numbers are set flush right."""
        rows = [list(row) for row in rows]
        right = [bool(rows) and all(isinstance(r[i], int | float) or (isinstance(r[i], Cell) and _numeric(r[i]))
                                    or r[i] in ("", None) for r in rows) for i in range(len(columns))]
        head = "".join(f'<th class="n">{html.escape(c)}</th>' if n else f"<th>{html.escape(c)}</th>"
                       for c, n in zip(columns, right, strict=True))
        body = "".join("<tr>" + "".join(_cell(v, n) for v, n in zip(row, right, strict=True)) + "</tr>" for row in rows)
        title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
        self.parts.append(f'<div class="scroll"><table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
                          "</table></div>")

    def picture(self, png: bytes, what: str, caption: str = "") -> None:
        """A PNG inside the page; `what` says what is to be seen for those who do not see it."""
        source = base64.b64encode(png).decode()
        below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
        self.parts.append(f'<figure><img alt="{html.escape(what)}" src="data:image/png;base64,{source}">{below}'
                          "</figure>")

    def fold(self, title: str, aside: str = "", *, unfolded: bool = False) -> None:
        """Start a part that can be folded away; end it with `unfold`."""
        state = " open" if unfolded else ""
        self.parts.append(f"<details{state}><summary>{html.escape(title)}<span>{html.escape(aside)}</span></summary>")

    def unfold(self) -> None:
        """End of a part that can be folded away."""
        self.parts.append("</details>")

    def html(self, foot: str = "") -> str:
        """The whole page."""
        body = "".join(self.parts) + ("</section>" if self.open else "")
        links = "".join(f'<a href="#{a}">{html.escape(t)}</a>' for a, t in self.links)
        title = html.escape(self.title)
        return FRAME.substitute(policy=POLICY, style=STYLE, title=title, lead=html.escape(self.lead), links=links,
                                body=body, foot=html.escape(foot))

    def write(self, path: str | Path, foot: str = "") -> Path:
        """Write the page in one step.

        Raises
        ------
        StorageError
            Where the file cannot be written; an older page there stays whole.
        """
        text = self.html(foot).encode()
        return replace_file(path, lambda temporary: temporary.write_bytes(text))


def number(value: Any, digits: int = 4) -> str:
    """A value as a reader likes it: few digits, thousands set apart, a thin dash for what is not known."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return DASH
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    size = abs(value)
    if size >= 1e8 or 0 < size < 1e-3:
        return f"{value:.{digits - 1}e}".replace("-", MINUS)
    rounded = float(f"{value:.{digits}g}")
    text = f"{rounded:,.0f}" if size >= 10 ** (digits - 1) else f"{rounded:.{digits}g}"
    return text.replace("-", MINUS)


def pretty(name: str) -> str:
    """The name of a signal as it is read: "dissolved oxygen"."""
    return name.replace("_", " ").replace("co2", "CO2")


def _about(sentence: str) -> str:
    topic, colon, rest = sentence.partition(": ")
    if not colon or len(topic) > 40 or "." in topic:
        return html.escape(sentence)
    return f"<b>{html.escape(topic)}:</b> {html.escape(rest)}"


def _numeric(text: str) -> bool:
    return bool(text) and text.lstrip(MINUS)[:1] in f"0123456789{DASH}∞"


def _cell(value: Any, right: bool) -> str:
    classes = " ".join(c for c in ("n" if right else "", getattr(value, "look", "")) if c)
    text = html.escape(number(value))
    return f'<td class="{classes}">{text}</td>' if classes else f"<td>{text}</td>"
