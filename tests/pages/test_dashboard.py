#!/usr/bin/env python3
"""Opens the dashboard of a store in a headless Chromium, and looks.

    python3 tests/pages/test_dashboard.py EIGENSCOPE [--pictures FOLDER]

Needs the package websockets, and Chromium. With ../shared/tables/seed-keras, results of 50 Keras models, it opens theirs too.
"""
import asyncio
import base64
import csv
import io
import json
import pathlib
import random
import subprocess

from browser import CONTRAST
from suite import main, quiet, run, test

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
KERAS = ROOT / "../shared/tables/seed-keras"
EVIL = "</script><img src=x onerror=\"document.title='owned'\">"
METRICS = ["log_norm", "alpha", "alpha_weighted", "log_alpha_norm", "log_spectral_norm", "stable_rank"]
COLUMNS = ["layer_id", "name", "D", "M", "N", "alpha", "alpha_weighted", "lambda_max", "layer_type", "log_alpha_norm", "log_norm",
           "log_spectral_norm", "norm", "num_pl_spikes", "sigma", "spectral_norm", "stable_rank", "sv_max", "xmax", "xmin"]
FAMILIES = {"Net": 5, "Wide": 10, EVIL[:40]: 1}


def write_results(folder):
    """Families of models whose alpha falls as they get better."""
    draw = random.Random(1)
    lines = ["architecture,variant,top1,loss"]
    for index, (family, count) in enumerate(FAMILIES.items()):
        for variant in range(count):
            place = folder / "results" / family.replace("/", "%2F") / f"v{variant}"
            place.mkdir(parents=True)
            rows = []
            for layer in range(20):
                row = {c: round(draw.uniform(1, 3), 4) for c in COLUMNS}
                row |= {"layer_id": 3 * layer, "name": f"{EVIL[:20]}.{layer}", "layer_type": "conv2d", "alpha": 6 - 0.3 * variant + draw.random()}
                rows.append(row)
            with open(place / "details.csv", "w", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(rows)
            means = {m: sum(r[m] for r in rows) / len(rows) for m in METRICS}
            (place / "summary.json").write_text(json.dumps(means))
            if "<" not in family:
                lines.append(f"{family},v{variant},{70 + variant + index},{3 - 0.1 * variant}")
    (folder / "quality.csv").write_text("\n".join(lines) + "\n")


# The marks of every panel of the figure that is shown, and how many colours are on its first canvas.
MARKS = """(() => {
  dashboard.drawAll();
  const charts = dashboard.charts();
  const drawn = (c) => c.instance.getModel().getSeries().reduce((n, s) => {
    const data = s.getData();
    let count = 0;
    for (let i = 0; i < data.count(); i++) if (Number.isFinite(data.get(data.mapDimension('y'), i))) count++;
    return n + count;
  }, 0);
  const canvas = charts[0].host.querySelector('canvas');
  const pixels = new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  return { panels: charts.length, marks: charts.map(drawn), colours: new Set(pixels).size, title: document.getElementById('title').textContent };
})()"""


async def figure(browser, key):
    await browser.js(f"dashboard.choose({json.dumps(key)})")
    return await browser.js(MARKS)


async def offered(browser):
    return await browser.js("[...document.querySelectorAll('#which option')].map(o => [o.value, o.textContent])")


@test
async def every_figure_is_listed_and_draws_marks(browser, pages):
    await browser.open(pages["small"])
    listed = await offered(browser)
    assert len(listed) == 2 + 2 * 3 + 16, listed
    assert listed[0] == ["summary", "Summary [all]"] and listed[-1][1].startswith("Details ["), listed
    for key, title in listed:
        shown = await figure(browser, key)
        assert shown["title"] == title, shown
        assert shown["panels"] == (6 if key.startswith("summary") else 17), (title, shown)
        # The last family has no quality, and so no points in its summary.
        if not (key.startswith("summary/") and "<" in key):
            assert min(shown["marks"]) > 0 and shown["colours"] > 3, (title, shown)
    await quiet(browser)


@test
async def a_pointer_on_a_layer_tells_its_name(browser, pages):
    await browser.open(pages["small"])
    # Among all models another's point may lie on top, of a layer of the same name.
    for key, model in [("model/Net/v2", "model Net:v2"), ("details", "model ")]:
        await figure(browser, key)
        place = await browser.js("""(() => {
          const chart = dashboard.charts()[0];
          const data = chart.instance.getModel().getSeries()[0].getData();
          const at = [data.get(data.mapDimension('x'), 7), data.get(data.mapDimension('y'), 7)];
          const [x, y] = chart.instance.convertToPixel({ seriesIndex: 0 }, at);
          const box = chart.host.getBoundingClientRect();
          return [box.x + x, box.y + y, at[0]];
        })()""")
        await browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=place[0] - 5, y=place[1] - 5)
        await browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[1])
        await browser.until(f"document.getElementById('figure').innerText.includes({json.dumps(EVIL[:20] + '.7')})")
        words = await browser.js("document.getElementById('figure').innerText")
        assert model in words and "type conv2d" in words and f"layer id {place[2]:.0f}" in words, words
    await quiet(browser)


@test
async def the_fitted_line_and_its_coefficients_are_those_of_compare(browser, pages):
    await browser.open(pages["small"])
    for key, group in [("summary", "all"), ("summary/Wide", "Wide")]:
        await figure(browser, key)
        found = next(f for f in pages["findings"] if f["group"] == group and f["metric"] == "alpha" and f["quality"] == "loss")
        caption = await browser.js("document.querySelectorAll('#figure figcaption')[1].textContent")
        expected = f"alpha r {found['pearson']['value']:.2f} · ρ {found['spearman']['value']:.2f} · τ {found['kendall']['value']:.2f}"
        assert caption.startswith(expected.replace("-", "\u2212")) and caption.endswith(f"n = {found['n']}"), (caption, expected)
        ends = await browser.js("""dashboard.charts()[1].instance.getOption().series.find(s => s.type === 'line' && s.lineStyle.type === 'dashed').data""")
        for x, y in ends:
            assert abs(y - found["line"]["intercept"] - found["line"]["slope"] * x) < 1e-9
    best = await browser.js("document.getElementById('sentence').textContent")
    assert best[:-1] in [f["sentence"] for f in pages["findings"]], best
    await browser.js("(f => { f.value = 'top1'; f.dispatchEvent(new Event('change')); })(document.getElementById('quality'))")
    assert "Against top1" in await browser.js("document.getElementById('table').innerText")
    await quiet(browser)


@test
async def a_click_in_the_legend_hides_a_model_in_every_panel(browser, pages):
    await browser.open(pages["small"])
    before = await figure(browser, "details/Net")
    await browser.js("document.querySelector('#legend button').click()")
    after = await browser.js(MARKS)
    assert await browser.js("document.querySelector('#legend button').ariaPressed") == "false"
    assert all(a < b for a, b in zip(after["marks"], before["marks"])), (before, after)
    await browser.js("document.querySelector('#legend button').click()")
    assert await browser.js(MARKS) == before


@test
async def depth_is_a_share_and_the_address_holds_what_is_shown(browser, pages):
    await browser.open(pages["small"])
    await figure(browser, "details/Wide")
    await browser.js("(f => { f.value = 'depth'; f.dispatchEvent(new Event('change')); })(document.getElementById('by'))")
    await browser.js("dashboard.drawAll()")
    ends = await browser.js("""dashboard.charts()[0].instance.getModel().getSeries()[0].getData().getDataExtent('x')""")
    assert ends == [0, 1], ends
    address = await browser.js("location.hash")
    assert "figure=details%2FWide" in address and "by=depth" in address, address
    await browser.call("Page.reload")
    await browser.until("document.readyState === 'complete' && document.getElementById('title').textContent === 'Details [Wide]'")
    assert await browser.js("document.getElementById('by').value") == "depth"


@test
async def the_numbers_behind_a_figure_can_be_downloaded(browser, pages):
    await browser.open(pages["small"])
    for key, name, count in [("summary", "summary.csv", 16), ("details/Net", "details.csv", 100)]:
        await figure(browser, key)
        await browser.js("document.getElementById('csv').click()")
        rows = list(csv.DictReader(io.StringIO(await browser.downloaded(name))))
        assert len(rows) == count, (name, len(rows))
        assert 1 < float(rows[0]["alpha"]) < 8, rows[0]


@test
async def hostile_names_do_nothing_and_controls_have_names(browser, pages):
    await browser.open(pages["small"])
    assert await browser.js("document.title") != "owned"
    assert await browser.js("document.querySelectorAll('img').length") == 0
    assert await browser.js(f"document.getElementById('which').innerText.includes({json.dumps(EVIL[:20])})")
    for dark in [False, True]:
        await browser.open(pages["small"], dark=dark)
        for key in ["summary", "details/Net"]:
            await figure(browser, key)
            assert await browser.unnamed() == [], await browser.unnamed()
            ratio, where = await browser.js(CONTRAST)
            assert ratio >= 4.5, (key, dark, ratio, where)
    await browser.open(pages["small"], width=420, height=900)
    assert await browser.js("document.documentElement.scrollWidth") <= 421


@test
async def a_served_page_follows_its_store(browser, pages):
    folder, program = pages["folder"], pages["program"]
    server = subprocess.Popen([program, "serve", "zoo", "--port", "0"], cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        origin = server.stdout.readline().split(" ")[0]
        browser.events.clear()
        browser.url = origin
        await browser.call("Page.navigate", url=origin)
        await browser.until("document.readyState === 'complete' && typeof dashboard !== 'undefined'")
        await browser.js("dashboard.choose('details/Wide')")
        # The same result again is a change too; another model is one that shows.
        extra = folder / "more" / "Wide" / "v99"
        extra.mkdir(parents=True)
        for name in ["details.csv", "summary.json"]:
            (extra / name).write_bytes((folder / "results/Wide/v1" / name).read_bytes())
        run(program, folder, "store", "import", "zoo", "more")
        await browser.until("typeof dashboard !== 'undefined' && dashboard.figures.includes('model/Wide/v99')")
        assert await browser.js("document.getElementById('title').textContent") == "Details [Wide]"
        asked = set(u.removeprefix(origin).split("#")[0] for u in browser.requests())
        assert asked <= {"", "version"}, asked
        assert browser.complaints() == [], browser.complaints()
        run(program, folder, "store", "rm", "zoo", "Wide/v99")
    finally:
        server.kill()
        server.wait()


@test
async def fifty_keras_models_have_sixty_four_figures(browser, pages):
    if "keras" not in pages:
        print("left out: ../shared/tables/seed-keras is not here")
        return
    await browser.open(pages["keras"])
    listed = await offered(browser)
    assert len(listed) == 64, len(listed)
    assert [t for _, t in listed][:2] == ["Summary [all]", "Summary [ConvNeXt]"], listed[:2]
    for key, title in listed:
        shown = await figure(browser, key)
        assert shown["title"] == title and shown["panels"] == (6 if key.startswith("summary") else 17), (title, shown)
        assert min(shown["marks"]) > 0 and shown["colours"] > 3, (title, shown)
        if key == "details":
            assert max(shown["marks"][:16]) == 5903, shown
        if key.startswith("model/"):
            with open(KERAS / "results" / key.removeprefix("model/") / "details.csv") as file:
                rows = sum(1 for r in csv.DictReader(file) if r["alpha"])
            assert shown["marks"][0] == rows, (title, shown, rows)
    await quiet(browser)


def make(program, folder):
    write_results(folder)
    run(program, folder, "store", "import", "zoo", "results", "--quality", "quality.csv")
    run(program, folder, "dashboard", "zoo", "-o", "small.html")
    run(program, folder, "compare", "zoo", "-o", "found.json")
    pages = {"small": folder / "small.html", "folder": folder, "program": program}
    pages["findings"] = json.loads((folder / "found.json").read_text())["findings"]
    if KERAS.is_dir():
        run(program, folder, "store", "import", "keras", str(KERAS), "--quality", str(KERAS / "top1.csv"), "--tool", "WeightWatcher 0.6.1")
        run(program, folder, "dashboard", "keras", "-o", "keras.html")
        pages["keras"] = folder / "keras.html"
    return pages


async def pictures(browser, pages, folder):
    """What README and documentation show."""
    if "keras" not in pages:
        return
    for name, key, height in [("dashboard", "summary", 1030), ("dashboard-details", "details/EfficientNet", 950)]:
        await browser.open(pages["keras"], width=1280, height=height)
        await figure(browser, key)
        await asyncio.sleep(0.5)
        shot = await browser.call("Page.captureScreenshot")
        (folder / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))


if __name__ == "__main__":
    main(__file__, __doc__, make, pictures)
