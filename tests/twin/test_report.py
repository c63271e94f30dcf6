"""Pages and pictures."""

import math

import pytest

from twin import errors
from twin.report import figures
from twin.report.page import Cell, Page, number, pretty

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (12345, "12,345"), (0.0, "0"), (1234.5678, "1,235"), (0.123456, "0.1235"), (-2.5, "\u22122.5"),
    (1.5e-7, "1.500e\u221207"), (62508.5, "62,510"), (math.nan, "\u2013"), (None, "\u2013"), (math.inf, "\u221e"),
    ("text", "text"), (True, "True")])
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_names_are_readable():
    assert pretty("dissolved_oxygen") == "dissolved oxygen"
    assert pretty("co2_carbon") == "CO2 carbon"


def test_everything_that_is_given_is_escaped():
    page = Page("<title>", "<lead>")
    page.section("<section>", "<sentence>")
    page.points(["<topic>: <rest>"])
    page.tiles({"<label>": "<value>"})
    page.table(["<column>"], [["<cell>"]], caption="<caption>")
    page.picture(PNG, '"><script>', "<below>")
    page.fold("<fold>", "<aside>")
    page.unfold()
    text = page.html("<foot>")
    for word in ("title", "lead", "section", "sentence", "topic", "rest", "label", "value", "column", "cell", "caption",
                 "below", "fold", "aside", "foot"):
        assert f"&lt;{word}&gt;" in text
    assert "<script" not in text


def test_columns_of_numbers_are_set_flush_right():
    page = Page("t")
    page.table(["name", "value"], [["a", 1.0], ["b", math.nan]])
    text = page.html()
    assert '<th>name</th><th class="n">value</th>' in text
    assert '<td>a</td><td class="n">1</td>' in text


def test_a_cell_has_a_look_of_its_own():
    page = Page("t")
    page.table(["run", "error"], [[Cell("batch 0", ""), Cell("0.5 (3%)", "good")]])
    text = page.html()
    assert "<td>batch 0</td>" in text
    assert '<td class="n good">0.5 (3%)</td>' in text


def test_the_topic_of_a_sentence_is_set_off():
    page = Page("t")
    page.points(["Product: too high.", "No topic here. Ratio: 3."])
    text = page.html()
    assert "<li><b>Product:</b> too high.</li>" in text
    assert "<li>No topic here. Ratio: 3.</li>" in text


def test_sections_are_linked_and_closed():
    page = Page("t")
    page.section("One")
    page.section("Two")
    text = page.html()
    assert text.count("<section") == text.count("</section>") == 2
    assert '<a href="#s2">Two</a>' in text


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path):
    target = tmp_path / "report.html"
    Page("old").write(target)
    before = target.read_bytes()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(errors.StorageError, match="cannot be written"):
        Page("new").write(tmp_path / "file" / "report.html")
    assert target.read_bytes() == before


def test_equal_pictures_give_equal_bytes():
    closure = type("Closure", (), {"run": "a", "start": 1.0, "entered": 1.0, "left": 0.5, "end": 1.5,
                                   "parts": {"salt": 1.5, "gone": 0.0}})
    one, two = (figures.png(figures.balance_bars([closure])) for _ in range(2))
    assert one.startswith(PNG)
    assert one == two
