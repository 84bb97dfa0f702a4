"""The explorers in a browser: sliders, clicks, keys."""

import nbformat
import pytest

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture(scope="module")
def scratch(notebooks):
    """A notebook that shows two views, where the course would take longer to come to them."""
    cells = [
        "from nst import widgets",
        "widgets.GramExplorer('starry', other='waves', size=128)",
        "widgets.TradeOffStrip('cat', 'waves', values=[0.1, 10], size=64, steps=5)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, notebooks / "scratch.ipynb")
    return "scratch.ipynb"


def press_and_see(page, image, press):
    """The picture changes when `press` is called."""
    before = image.get_attribute("src")
    press()
    expect(image).not_to_have_attribute("src", before)


def test_the_channel_slider_of_notebook_01(lab, shot, nameless):
    page = lab("01_features.ipynb", width=1600, height=1500)
    view = page.locator(".nst-activations").first
    view.scroll_into_view_if_needed()
    image = view.locator(".nst-large img")
    view.locator(".nst-channel .noUi-handle").focus()
    press_and_see(page, image, lambda: page.keyboard.press("ArrowRight"))
    expect(view.locator(".nst-channel")).to_contain_text("1")
    assert nameless(view.element_handle()) == []
    shot(view, "activations")


def test_clicks_on_a_gram_matrix_and_keys_on_a_phone(lab, scratch, shot, nameless):
    page = lab(scratch, width=1300, height=1400)
    view = page.locator(".nst-gram").first
    caption, maps = view.locator(".nst-pair-caption"), view.locator(".nst-maps img")
    before = caption.text_content()
    place = {"x": 60, "y": 90}
    press_and_see(page, maps, lambda: view.locator(".nst-heatmap .nst-frame").click(position=place))
    expect(caption).not_to_have_text(before)
    after = caption.text_content()
    page.keyboard.press("ArrowRight")
    expect(caption).not_to_have_text(after)
    assert nameless(view.element_handle()) == []
    shot(view, "gram")

    strip = page.locator(".nst-strip").first
    strip.locator(".nst-paint button, button.nst-paint").click()
    expect(strip.locator(".nst-result img")).to_have_count(2)
    shot(strip, "strip")


def test_a_blind_vote_by_keys_and_by_a_click(lab, notebooks, shot, nameless):
    cells = [
        "import nst\nfrom nst import widgets",
        "found = {n: nst.load_image(n, 96)[..., :60, :90] for n in ('cat', 'waves', 'starry')}\n"
        "widgets.BlindVote(found, 'votes.csv', 'anna', beside={'the style': found['waves']})",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, notebooks / "vote.ipynb")
    page = lab("vote.ipynb", width=1000, height=900)
    view = page.locator(".nst-vote").first
    image = view.locator(".nst-pair img").first
    expect(view).to_contain_text("0 of 3 pairs")
    assert nameless(view.element_handle()) == []
    shot(view, "vote")
    pictures = view.locator(".nst-pair img")
    press_and_see(page, image, lambda: pictures.nth(1).dblclick())  # one vote
    expect(view).to_contain_text("1 of 3 pairs")
    page.keyboard.press("Space")  # the focus is with the pair, not with a button
    assert page.evaluate("document.activeElement.className") == "nst-pair"
    expect(view).to_contain_text("1 of 3 pairs")
    page.keyboard.press("ArrowDown")
    expect(view).to_contain_text("2 of 3 pairs")
    view.get_by_role("button", name="left").click()
    expect(view).to_contain_text("All 3 pairs are done")
    expect(image).not_to_be_visible()
    lines = (notebooks / "votes.csv").read_text(encoding="utf-8").splitlines()
    assert [line.rsplit(",", 1)[1] for line in lines] == ["choice", "right", "neither", "left"]
