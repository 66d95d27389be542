#!/usr/bin/env python3
"""Opens the pages that `eigenscope` writes in a headless Chromium, and looks.

    python3 tests/pages/test_pages.py EIGENSCOPE [--pictures FOLDER]

Needs the package websockets, and Chromium.
"""
import csv
import io
import json
import math
import random
import struct

from browser import CONTRAST
from suite import main, quiet, run, test

EVIL = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
LAYERS = 12


def write_model(path):
    """Dense layers of noise with ever heavier tails, one of them with a hostile name; a norm, and a matrix with a NaN."""
    draw = random.Random(4)
    tensors = {}
    for k in range(LAYERS):
        power = 0.05 + 0.05 * k
        values = [draw.choice((-1, 1)) * draw.random() ** -power for _ in range(48 * 40)]
        name = f"{EVIL}.weight" if k == 5 else f"block.{k}.fc.weight"
        tensors[name] = ([48, 40], values)
    tensors["norm.weight"] = ([9], [1.0] * 9)
    tensors["broken.weight"] = ([12, 10], [float("nan")] + [1.0] * 119)
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        start = len(data)
        data += struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, len(data)]}
    header = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def write_history(path):
    """Alpha falls from layer to layer and step to step; two commits raise alarms."""
    own = {"alpha": 0.0, "D": 0.1, "stable_rank": 5.0, "spectral_norm": 1.0, "norm": 3.0}
    commits, layers = [], {n: [] for n in ["fc1", EVIL, "fc3"]}
    for k in range(40):
        stamp = {"step": 100 * (k + 1), "epoch": k + 1}
        level = {20: "snapshot", 30: "warn", 39: "stop"}.get(k, "none")
        flags = {30: ["OVER_TRAINED"], 39: ["NON_FINITE", "OVER_TRAINED"]}.get(k, [])
        alpha = 6.0 - 0.11 * k
        commits.append({**stamp, "level": level, "flags": flags, "means": {**own, "alpha": alpha}, "metrics": [["loss", math.exp(-k / 9)]]})
        for i, points in enumerate(layers.values()):
            points.append({**stamp, "segment": 0, "values": {**own, "alpha": alpha + i}})
    series = [{"name": n, "role": "weight", "points": p} for n, p in layers.items()]
    path.write_text(json.dumps({"commits": commits, "layers": series}))


@test
async def a_report_opens_without_a_complaint_or_a_request(browser, pages):
    for dark in [False, True]:
        await browser.open(pages["report"], dark=dark)
        await quiet(browser)
        assert await browser.js("document.querySelectorAll('#table tbody tr').length") == LAYERS + 1


@test
async def a_hostile_name_is_shown_and_does_nothing(browser, pages):
    for page in ["report", "series"]:
        await browser.open(pages[page])
        title = await browser.js("document.title")
        assert title != "owned", title
        assert await browser.js("document.querySelectorAll('img').length") == 0
        assert await browser.js("document.querySelectorAll('script:not([type])').length") == 3
        assert await browser.js(f"document.body.innerText.includes({json.dumps(EVIL[:30])})")


@test
async def a_script_that_gets_in_does_not_run(browser, pages):
    await browser.open(pages["report"])
    await browser.js("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))")
    await browser.js("document.body.insertAdjacentHTML('beforeend', '<b onclick=\"window.ran = 1\" id=bait>x</b>')")
    await browser.js("document.getElementById('bait').click()")
    assert await browser.js("window.ran") is None
    assert any("Content Security Policy" in c for c in browser.complaints())


async def column(browser, key):
    cells = await browser.js(f"""(() => {{
        const at = [...document.querySelectorAll('#table thead th')].findIndex(h => h.dataset.key === '{key}');
        return [...document.querySelectorAll('#table tbody tr')].map(r => r.cells[at].innerText);
    }})()""")
    return cells


@test
async def the_table_sorts_and_filters_with_mouse_and_keyboard(browser, pages):
    await browser.open(pages["report"])
    await browser.js("document.querySelector('[data-key=alpha] button').click()")
    alphas = await column(browser, "alpha")
    # The layer that failed has none, and is last whatever the direction.
    assert alphas[-1] == "–", alphas
    assert [float(a) for a in alphas[:-1]] == sorted(float(a) for a in alphas[:-1]), alphas
    assert await browser.js("document.querySelector('[data-key=alpha]').ariaSort") == "ascending"
    await browser.js("document.querySelector('[data-key=alpha] button').focus()")
    await browser.press("Enter")
    falling = await column(browser, "alpha")
    assert [float(a) for a in falling[:-1]] == sorted((float(a) for a in alphas[:-1]), reverse=True)
    assert await browser.js("document.querySelector('[data-key=alpha]').ariaSort") == "descending"
    # The heading that was pressed keeps the focus.
    await browser.press("Enter")
    assert await column(browser, "alpha") == alphas
    await browser.js("(f => { f.value = 'block.7'; f.dispatchEvent(new Event('input')); })(document.getElementById('filter'))")
    assert await column(browser, "name") == ["block.7.fc"]
    await browser.js("(f => { f.value = ''; f.dispatchEvent(new Event('input')); })(document.getElementById('filter'))")
    await browser.js("(f => { f.value = 'failed'; f.dispatchEvent(new Event('input')); })(document.getElementById('status'))")
    assert await column(browser, "name") == ["broken"]
    assert "contains 1 NaN" in (await column(browser, "warning"))[0]


@test
async def the_spectrum_of_the_layer_that_was_chosen_is_drawn(browser, pages):
    await browser.open(pages["report"])
    data = json.loads(await browser.js("document.getElementById('data-report').textContent"))
    marks = "document.querySelectorAll('#esd svg path').length"
    first = await browser.js("document.getElementById('esd').ariaLabel")
    assert await browser.js(marks) > 20
    await browser.js("[...document.querySelectorAll('#table button.link')].find(b => b.innerText === 'block.9.fc').click()")
    row = next(r for r in data["rows"] if r["name"] == "block.9.fc")
    label = await browser.js("document.getElementById('esd').ariaLabel")
    assert "block.9.fc" in label and f"alpha {row['alpha']:.3f}" in label and label != first, label
    bars = sum(1 for c in row["_view"]["esd"]["counts"] if c)
    assert await browser.js(marks) > bars + len(row["_view"]["tail"]), await browser.js(marks)
    words = await browser.js("document.getElementById('numbers').innerText")
    assert f"{row['num_pl_spikes']} of {row['num_evals']} eigenvalues in the tail" in words, words
    # The arrow buttons go through the layers in their order.
    await browser.js("document.getElementById('next').click()")
    assert "block.10.fc" in await browser.js("document.getElementById('esd').ariaLabel")
    await quiet(browser)


@test
async def the_data_can_be_downloaded_as_csv(browser, pages):
    await browser.open(pages["report"])
    await browser.js("document.getElementById('csv').click()")
    rows = list(csv.DictReader(io.StringIO(await browser.downloaded("model.safetensors.csv"))))
    data = json.loads(await browser.js("document.getElementById('data-report').textContent"))
    assert len(rows) == LAYERS + 2
    for row, expected in zip(rows, data["rows"]):
        assert row["longname"] == expected["longname"]
        if expected["alpha"] is not None:
            assert float(row["alpha"]) == expected["alpha"]
    await browser.open(pages["series"])
    await browser.js("document.getElementById('csv').click()")
    assert len(list(csv.DictReader(io.StringIO(await browser.downloaded("history.csv"))))) == 3 * 40


@test
async def a_run_is_a_map_of_layer_by_step_with_its_alarms(browser, pages):
    await browser.open(pages["series"])
    await quiet(browser)
    alarms = await browser.js("[...document.querySelectorAll('#alarms tbody tr')].map(r => [...r.cells].map(c => c.innerText))")
    assert [a[2] for a in alarms] == ["snapshot", "warn", "stop"], alarms
    assert alarms[2][0] == "4,000" and "NON_FINITE" in alarms[2][3], alarms
    # Colours of the map, on whichever of its layers they are.
    await browser.until("""[...document.querySelectorAll('#map canvas')].some((canvas) => {
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        const seen = new Set();
        for (let k = 0; k < pixels.length; k += 4) seen.add(pixels.slice(k, k + 4).join());
        return seen.size > 40 && pixels.filter((v, k) => k % 4 === 3 && v > 250).length > 100000;
    })""")
    # One mark for each alarm on the timeline.
    shown = await browser.js("""page.charts[0].instance.getOption().series.filter(s => s.type === 'scatter')
        .map(s => [s.name, s.data.filter(v => v !== null).length])""")
    assert sorted(shown) == [["snapshot", 1], ["stop", 1], ["warn", 1]], shown
    await browser.js("(f => { f.value = 'stable_rank'; f.dispatchEvent(new Event('change')); })(document.getElementById('metric'))")
    assert "stable_rank" in await browser.js("document.getElementById('map').ariaLabel")
    await quiet(browser)


@test
async def everything_has_a_name_and_can_be_read(browser, pages):
    for page in ["report", "series"]:
        for dark in [False, True]:
            await browser.open(pages[page], dark=dark)
            assert await browser.unnamed() == [], (page, await browser.unnamed())
            ratio, where = await browser.js(CONTRAST)
            assert ratio >= 4.5, (page, dark, ratio, where)


@test
async def a_narrow_window_does_not_scroll_sideways(browser, pages):
    for page in ["report", "series"]:
        await browser.open(pages[page], width=420, height=900)
        wide = await browser.js("document.documentElement.scrollWidth")
        assert wide <= 421, (page, wide)


@test
async def pages_print(browser, pages):
    for page in ["report", "series"]:
        await browser.open(pages[page])
        pdf = await browser.call("Page.printToPDF", printBackground=False)
        assert len(pdf["data"]) > 30_000, len(pdf["data"])
        await quiet(browser)


def make(program, folder):
    write_model(folder / "model.safetensors")
    write_history(folder / "history.json")
    pages = {"report": folder / "report.html", "series": folder / "series.html"}
    # 3: a layer failed, which the page says.
    run(program, folder, "report", "model.safetensors", "-o", pages["report"], "--mp-fit", "--randomize", "--compare", accepted=(0, 3))
    run(program, folder, "report", "history.json", "-o", pages["series"])
    return pages


async def pictures(browser, pages, folder):
    for page, path in pages.items():
        for dark in [False, True]:
            await browser.open(path, dark=dark)
            await browser.picture(folder / f"{page}-{'dark' if dark else 'light'}.png")


if __name__ == "__main__":
    main(__file__, __doc__, make, pictures)
