// What every page of Eigenscope shares: its data, numbers, tables, charts, downloads.
//
// Nothing here makes HTML out of text. Names in a page come from files that anybody may have written; they reach the
// document as text nodes and attributes only.
"use strict";

const page = (() => {
  /** The data that the page was made with, by name. */
  const data = (name) => JSON.parse(document.getElementById("data-" + name).textContent);

  /** An element: attributes by name, handlers by on..., children that are elements or become text. */
  function el(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((c) => c !== null && c !== undefined));
    return made;
  }

  const byId = (id) => document.getElementById(id);

  /** Whether a value is a number that can be shown. */
  const finite = (x) => typeof x === "number" && Number.isFinite(x);

  /** A number in at most so many digits; small and large ones as 1.2×10⁻⁷; nothing as a dash. */
  function number(x, digits = 4) {
    if (!finite(x)) return "–";
    if (x === 0) return "0";
    if (Number.isInteger(x) && Math.abs(x) < 1e9) return grouped(x);
    const size = Math.floor(Math.log10(Math.abs(x)));
    if (size < -4 || size >= 7) {
      const [mantissa, exponent] = x.toExponential(Math.max(0, digits - 2)).split("e");
      return minus(mantissa) + "×10" + raised(Number(exponent));
    }
    return minus(x.toFixed(Math.max(0, digits - 1 - Math.max(size, -1))));
  }

  /** The same without zeros at the end, for axes. */
  const short = (x, digits = 3) => number(x, digits).replace(/(\.\d*?)0+(?=$|×)/, "$1").replace(/\.(?=$|×)/, "");

  const minus = (text) => text.replace("-", "\u2212");
  const grouped = (n) => minus(String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ","));
  const raised = (n) => [...String(n)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");

  /** The label of a tick at 10^exponent. */
  const power = (exponent) =>
    Math.abs(exponent) <= 3 ? String(10 ** exponent).replace(/^1e/, "10e") : "10" + raised(exponent);

  /** Places and labels on a logarithmic axis whose coordinates are log10 of the values. */
  function logTicks(low, high, most = 8) {
    const ticks = [];
    if (high - low >= 2) {
      const step = Math.max(1, Math.ceil((high - low) / most));
      for (let e = Math.ceil(low / step - 1e-9) * step; e <= high + 1e-9; e += step) ticks.push([e, power(e)]);
      return ticks;
    }
    if (high - low > 0.6) {
      for (let e = Math.floor(low); e <= high; e++) {
        for (const m of [1, 2, 5]) {
          const at = e + Math.log10(m);
          if (at >= low - 1e-9 && at <= high + 1e-9) ticks.push([at, short(m * 10 ** e)]);
        }
      }
      return ticks;
    }
    const [from, to] = [10 ** low, 10 ** high];
    const raw = (to - from) / 5;
    const unit = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= raw);
    for (let x = Math.ceil(from / step) * step; x <= to + 1e-9 * step; x += step) {
      ticks.push([Math.log10(x), short(x, 4)]);
    }
    return ticks;
  }

  /** An ECharts axis for coordinates that are log10 of the values. */
  function logAxis(name, low, high, theme, more = {}) {
    const ticks = logTicks(low, high);
    const at = ticks.map((t) => t[0]);
    const label = (value) => {
      const found = ticks.find((t) => Math.abs(t[0] - value) < 1e-6);
      return found ? found[1] : "";
    };
    return axis(name, theme, {
      type: "value", min: low, max: high,
      axisTick: { customValues: at, lineStyle: { color: theme.line } },
      axisLabel: { customValues: at, formatter: label, color: theme.dim },
      splitLine: { show: false }, ...more,
    });
  }

  /** An ECharts axis in the page's colours. */
  function axis(name, theme, more = {}) {
    return {
      type: "value", name, nameLocation: "middle", nameGap: more.nameGap ?? 30, scale: true,
      nameTextStyle: { color: theme.ink }, axisLine: { lineStyle: { color: theme.dim }, onZero: false },
      axisLabel: { color: theme.dim }, splitLine: { lineStyle: { color: theme.line, opacity: 0.5 } }, ...more,
    };
  }

  /** The colours in force. Series are told apart by them in any kind of colour blindness (Okabe and Ito 2008). */
  function theme() {
    const style = getComputedStyle(document.documentElement);
    const get = (name) => style.getPropertyValue("--" + name).trim();
    const dark = matchMedia("(prefers-color-scheme: dark)").matches && !printing();
    const series = dark
      ? ["#56b4e9", "#e69f00", "#2fc49a", "#f0e442", "#5b9bd5", "#ff8552", "#e39ccb", "#b8bec6"]
      : ["#0072b2", "#c98500", "#007a5a", "#8c7f00", "#56b4e9", "#d55e00", "#a8558a", "#5a616a"];
    return {
      dark, series, back: get("back"), raised: get("raised"), ink: get("ink"), dim: get("dim"), line: get("line"),
      over: get("over"), under: get("under"), bad: get("bad"), good: get("good"), mark: get("mark"),
      bars: dark ? "#3d86b8" : "#7fc0ea", fit: dark ? "#ff8552" : "#d55e00", xmin: dark ? "#e8eaed" : "#1a1d21",
      random: dark ? "#f0b95a" : "#c98500", edge: dark ? "#2fc49a" : "#007a5a",
    };
  }

  const charts = [];

  /**
   * A chart in an element. `option(theme)` makes its ECharts option, anew when colours change; `label` says in words what
   * it shows, for those who cannot see it. Few marks are drawn as SVG, which prints sharply; many on a canvas.
   */
  function chart(host, { label, option, height = 320, renderer = "svg" }) {
    host.classList.add("chart");
    host.style.height = height + "px";
    host.setAttribute("role", "img");
    const made = { host, instance: echarts.init(host, null, { renderer }), label, option };
    made.draw = () => {
      host.setAttribute("aria-label", typeof made.label === "function" ? made.label() : made.label);
      made.instance.setOption({ animation: false, backgroundColor: "transparent", ...made.option(theme()) }, true);
    };
    made.draw();
    charts.push(made);
    return made;
  }

  const redraw = () => charts.forEach((c) => { c.instance.resize(); c.draw(); });
  addEventListener("resize", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const printing = () => document.documentElement.classList.contains("printing");
  for (const [event, on] of [["beforeprint", true], ["afterprint", false]]) {
    addEventListener(event, () => {
      document.documentElement.classList.toggle("printing", on);
      redraw();
    });
  }

  /** What a tooltip shows, as an element: a heading and lines of name and value. */
  function tip(heading, lines) {
    const rows = lines.map(([name, value]) => el("div", {}, name + " ", el("b", {}, value)));
    return el("div", {}, el("div", { style: "font-weight:600" }, heading), ...rows);
  }

  /** Tooltips in the page's colours; `format(params)` gives an element. */
  function tooltip(theme, format, more = {}) {
    return {
      backgroundColor: theme.raised, borderColor: theme.line, textStyle: { color: theme.ink, fontSize: 13 },
      confine: true, formatter: format, ...more,
    };
  }

  /** Text for a comma-separated file (RFC 4180). A cell that a spreadsheet would take for a formula gets a quote in front. */
  function csv(names, rows) {
    const cell = (value) => {
      if (value === null || value === undefined) return "";
      if (Array.isArray(value)) value = value.join("x");
      let text = String(value);
      if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = "'" + text;
      return /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
    };
    return [names, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";
  }

  /** Offers text as a file. */
  function download(name, text, type = "text/csv") {
    const url = URL.createObjectURL(new Blob([text], { type: type + ";charset=utf-8" }));
    const link = el("a", { href: url, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  /**
   * A table that sorts by its headings. Columns: {key, label, title, num, get(row), show(row)}; `show` may give an element.
   * Numbers sort as such, absent ones last whatever the direction.
   */
  function table(host, { caption, columns, rows, selected, onsort }) {
    const state = { columns, rows, key: null, down: false, selected };
    const head = el("tr");
    const body = el("tbody");
    const said = el("caption", {}, caption ?? "");
    host.replaceChildren(el("table", {}, said, el("thead", {}, head), body));
    const value = (column, row) => (column.get ? column.get(row) : row[column.key]);

    function sort(key) {
      state.down = state.key === key ? !state.down : false;
      state.key = key;
      if (onsort) onsort(key, state.down);
      draw();
    }

    function sorted() {
      const column = state.columns.find((c) => c.key === state.key);
      if (!column) return state.rows;
      const absent = (v) => v === null || v === undefined || v === "" || Number.isNaN(v);
      const order = state.down ? -1 : 1;
      return [...state.rows].sort((a, b) => {
        const [x, y] = [value(column, a), value(column, b)];
        if (absent(x) || absent(y)) return absent(x) - absent(y);
        if (typeof x === "number" && typeof y === "number") return order * (x - y);
        return order * String(x).localeCompare(String(y), undefined, { numeric: true });
      });
    }

    function headings() {
      head.replaceChildren(...state.columns.map((c) => {
        const button = el("button", { type: "button", title: c.title, onclick: () => sort(c.key) }, c.label ?? c.key);
        return el("th", { scope: "col", class: c.num && "num", "data-key": c.key }, button);
      }));
    }

    // Headings stay the elements they are: the one that was pressed keeps the focus.
    function draw() {
      for (const heading of head.children) {
        const way = state.down ? "descending" : "ascending";
        heading.setAttribute("aria-sort", heading.dataset.key === state.key ? way : "none");
      }
      body.replaceChildren(...sorted().map((row) => {
        const cells = state.columns.map((c) => {
          const shown = c.show ? c.show(row) : c.num ? number(value(c, row)) : value(c, row) ?? "";
          return el("td", { class: [c.num && "num", c.class].filter(Boolean).join(" ") || null }, shown);
        });
        return el("tr", { "aria-selected": state.selected && state.selected(row) ? "true" : null }, ...cells);
      }));
      said.textContent = typeof caption === "function" ? caption(state.rows) : caption ?? "";
    }

    headings();
    draw();
    return {
      draw,
      rows(next) { state.rows = next; draw(); },
      columns(next) { state.columns = next; headings(); draw(); },
      sorted,
    };
  }

  return {
    data, el, byId, finite, number, short, grouped, power, logTicks, logAxis, axis, theme, chart, charts, redraw, tip, tooltip, csv,
    download, table,
  };
})();
