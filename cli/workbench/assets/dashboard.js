// The page of a store: one figure at a time, chosen from a list.
"use strict";

const dashboard = (() => {
  const { el, byId, number, finite } = page;
  const data = page.data("dashboard");
  const models = data.models.map((m, index) => ({ ...m, index, label: m.architecture + ":" + m.variant }));
  const architectures = data.architectures;
  const qualities = [...new Set(models.flatMap((m) => Object.keys(m.quality)))].sort();
  const plural = (n, word) => page.grouped(n) + " " + word + (n === 1 ? "" : "s");
  const coefficient = (x) => (finite(x) ? x.toFixed(2).replace("-", "\u2212") : "–");

  byId("name").textContent = data.store;
  byId("facts").textContent = [
    plural(models.length, "model"), plural(architectures.length, "architecture"),
    plural(models.reduce((n, m) => n + m.layers, 0), "layer"), qualities.length ? "quality: " + qualities.join(", ") : "no quality known",
    "Eigenscope " + data.eigenscope, data.version ? "live" : null,
  ].filter(Boolean).join(" · ");
  if (data.damaged.length) {
    byId("damaged").hidden = false;
    byId("damaged").textContent = "Left out, damaged: " + data.damaged.map(([path, reason]) => path + " (" + reason + ")").join("; ");
  }

  // ---------------------------------------------------------------------------------------------------- the layers

  /** The numbers of a column, decoded when first asked for. */
  const decoded = new Map();
  function unpack(model, key, text, Kind) {
    const id = model.index + " " + key;
    if (!decoded.has(id)) {
      const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      decoded.set(id, new Kind(bytes.buffer));
    }
    return decoded.get(id);
  }
  const column = (m, name) => (m.columns[name] === undefined ? null : unpack(m, "=" + name, m.columns[name], Float32Array));
  const ids = (m) => unpack(m, "ids", m.ids, Uint32Array);
  const word = (m, key, row) => data.names[unpack(m, key, m[key], Uint32Array)[row]] ?? "";
  const columns = data.columns.filter((name) => models.some((m) => m.columns[name] !== undefined));

  // --------------------------------------------------------------------------------------------------- the figures

  const of = (architecture) => models.filter((m) => m.architecture === architecture);
  const figures = [
    { key: "summary", title: "Summary [all]", all: true, group: "all", kind: "summary", models, apart: "architecture" },
    ...architectures.map((a) => ({ key: "summary/" + a, title: "Summary [" + a + "]", group: a, kind: "summary", models: of(a), apart: "variant" })),
    { key: "details", title: "Details [all]", kind: "details", models, apart: "architecture" },
    ...architectures.map((a) => ({ key: "details/" + a, title: "Details [" + a + "]", kind: "details", models: of(a), apart: "variant" })),
    ...models.map((m) => ({ key: "model/" + m.architecture + "/" + m.variant, title: "Details [" + m.label + "]", kind: "details", models: [m], apart: "variant" })),
  ];
  const groups = { Summary: [], Details: [], Models: [] };
  for (const f of figures) groups[f.key.startsWith("model/") ? "Models" : f.kind === "summary" ? "Summary" : "Details"].push(f);
  byId("which").append(...Object.entries(groups).filter(([, list]) => list.length).map(([label, list]) =>
    el("optgroup", { label }, ...list.map((f) => el("option", { value: f.key }, f.title)))));
  byId("quality").append(...qualities.map((q) => el("option", { value: q }, q)));

  // What is shown stands in the address, so that a page that loads itself anew shows the same.
  const state = { figure: figures[0]?.key, quality: qualities[0] ?? "", by: "id", log: "", lines: "1" };
  const given = new URLSearchParams(location.hash.slice(1));
  for (const key of Object.keys(state)) if (given.has(key)) state[key] = given.get(key);
  if (!figures.some((f) => f.key === state.figure)) state.figure = figures[0]?.key;
  if (!qualities.includes(state.quality)) state.quality = qualities[0] ?? "";
  const hidden = new Set();

  // Beyond eight, colours come again with another symbol.
  const symbols = ["circle", "rect", "triangle", "diamond", "emptyCircle", "emptyRect", "emptyTriangle", "emptyDiamond"];
  const look = (theme, at) => ({ color: theme.series[at % 8], symbol: symbols[Math.floor(at / 8) % symbols.length] });

  /** The series of a figure: a name, its models, its place among the colours. */
  function series(figure) {
    const names = figure.apart === "architecture" ? architectures : figure.models.map((m) => m.variant);
    const members = (name) => figure.models.filter((m) => m[figure.apart] === name);
    return names.map((name, at) => ({ name, at, models: members(name) })).filter((s) => s.models.length);
  }

  let current = null;
  let made = [];

  function clear() {
    observer.disconnect();
    for (const chart of made.map((p) => p.chart).filter(Boolean)) {
      page.charts.splice(page.charts.indexOf(chart), 1);
      chart.instance.dispose();
    }
    made = [];
    byId("figure").replaceChildren();
  }

  // Only what is near the window is drawn: sixteen panels of a large store take a while.
  const observer = new IntersectionObserver((seen) => {
    for (const s of seen) if (s.isIntersecting) made.find((p) => p.host === s.target)?.draw();
  }, { rootMargin: "400px" });

  /** A panel: a caption and a chart that is drawn when it comes near. */
  function panel(caption, label, option, height) {
    const host = el("div");
    host.style.height = height + "px";
    byId("figure").append(el("figure", {}, el("figcaption", {}, ...caption), host));
    const one = { host, chart: null };
    one.draw = () => {
      if (one.chart) return;
      observer.unobserve(host);
      one.chart = page.chart(host, { label, option, height, renderer: "canvas" });
    };
    made.push(one);
    observer.observe(host);
  }

  function show() {
    clear();
    current = figures.find((f) => f.key === state.figure);
    const none = !current;
    byId("title").textContent = none ? "The store is empty" : current.title;
    for (const id of ["quality-label", "lines-label", "worth"]) byId(id).hidden = none || current.kind !== "summary" || !qualities.length;
    for (const id of ["by-label", "log-label"]) byId(id).hidden = none || current.kind !== "details";
    if (none) return;
    for (const [id, key] of [["which", "figure"], ["quality", "quality"], ["by", "by"]]) byId(id).value = state[key];
    for (const id of ["log", "lines"]) byId(id).checked = state[id] !== "";
    history.replaceState(null, "", "#" + new URLSearchParams(state));
    const at = figures.indexOf(current);
    byId("previous").disabled = at === 0;
    byId("next").disabled = at === figures.length - 1;
    const parts = series(current);
    legend(parts);
    byId("figure").classList.toggle("one", current.kind === "details" && current.models.length === 1);
    if (current.kind === "summary") summary(current, parts);
    else details(current, parts);
  }

  function legend(parts) {
    const theme = page.theme();
    byId("legend").replaceChildren(...(parts.length < 2 ? [] : parts.map((s) => {
      const { color } = look(theme, s.at);
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
      svg.setAttribute("viewBox", "0 0 10 10");
      svg.setAttribute("aria-hidden", "true");
      for (const [k, v] of [["cx", 5], ["cy", 5], ["r", 4.5], ["fill", color]]) dot.setAttribute(k, v);
      svg.append(dot);
      const button = el("button", { type: "button", "aria-pressed": String(!hidden.has(s.name)), onclick: () => {
        if (hidden.has(s.name)) hidden.delete(s.name); else hidden.add(s.name);
        button.setAttribute("aria-pressed", String(!hidden.has(s.name)));
        made.forEach((p) => p.chart?.draw());
      } }, svg, s.name);
      return button;
    })));
  }

  // ------------------------------------------------------------------------------------------------------- summary

  const findings = (group, all) => data.findings.filter((f) => f.quality === state.quality && (all ? f.all : !f.all && f.group === group));
  /** Of all models where the store has one architecture, the findings are told of the architecture. */
  const told = (figure) => {
    const all = Boolean(figure.all);
    const found = findings(figure.group, all);
    return all && !found.length && architectures.length === 1 ? findings(architectures[0], false) : found;
  };

  function summary(figure, parts) {
    const known = told(figure);
    const value = (m, metric) => m.summary[metric];
    const quality = (m) => (qualities.length ? m.quality[state.quality]?.[0] : m.index);
    const yName = qualities.length ? state.quality : "model";
    for (const metric of data.metrics) {
      const finding = known.find((f) => f.metric === metric);
      const caption = [el("b", {}, metric)];
      if (finding) {
        caption.push(" r " + coefficient(finding.pearson?.value) + " · ρ " + coefficient(finding.spearman?.value)
          + " · τ " + coefficient(finding.kendall?.value) + (finding.line ? " · R² " + coefficient(finding.line.r2) + " · RMSE " + number(finding.line.rmse, 3) : "")
          + " · n = " + finding.n);
      }
      const label = () => figure.title + ": " + yName + " by mean " + metric + " of " + plural(figure.models.length, "model")
        + (finding ? "; " + finding.sentence : "");
      panel(caption, label, (theme) => {
        const shown = parts.filter((s) => !hidden.has(s.name));
        const has = (m) => finite(value(m, metric)) && finite(quality(m));
        const points = shown.map((s) => ({ s, models: s.models.filter(has) }));
        const lines = state.lines === "" ? [] : [line(finding, points.flatMap((p) => p.models), metric, theme.ink, "dashed")];
        if (state.lines !== "" && figure.all && architectures.length > 1) {
          for (const p of points) {
            const own = findings(p.s.name, false).find((f) => f.metric === metric);
            lines.push(line(own, p.models, metric, look(theme, p.s.at).color, "solid"));
          }
        }
        return {
          grid: { left: 60, right: 24, top: 14, bottom: 46 },
          tooltip: page.tooltip(theme, (p) => {
            const m = models[p.data[2]];
            return page.tip(m.label, [["mean " + metric, number(p.data[0])], [yName, number(p.data[1])], ["layers", page.grouped(m.layers)]]);
          }),
          xAxis: page.axis("mean " + metric, theme, { axisLabel: { color: theme.dim, formatter: (v) => page.short(v) } }),
          yAxis: page.axis(yName, theme, { nameGap: 42, axisLabel: { color: theme.dim, formatter: (v) => page.short(v, 4) } }),
          series: [...points.map(({ s, models: list }) => ({
            type: "scatter", name: s.name, symbolSize: 9, symbol: look(theme, s.at).symbol,
            itemStyle: { color: look(theme, s.at).color, opacity: 0.9 },
            label: { show: true, position: "right", color: theme.dim, fontSize: 11, formatter: (p) => models[p.data[2]].variant },
            labelLayout: { hideOverlap: true },
            emphasis: { label: { show: true, color: theme.ink, formatter: (p) => models[p.data[2]].label } },
            data: list.map((m) => [value(m, metric), quality(m), m.index]),
          })), ...lines.filter(Boolean)],
        };
      }, 340);
    }
    worth(known);
  }

  /** A fitted line over the reach of its models. */
  function line(finding, list, metric, color, type) {
    if (!finding?.line || list.length < 2) return null;
    const xs = list.map((m) => m.summary[metric]);
    const ends = [Math.min(...xs), Math.max(...xs)];
    return {
      type: "line", silent: true, symbol: "none", z: 1, lineStyle: { color, width: 1.5, type, opacity: 0.7 }, itemStyle: { color },
      data: ends.map((x) => [x, finding.line.intercept + finding.line.slope * x]), tooltip: { show: false },
    };
  }

  function worth(known) {
    byId("worth").hidden = !known.length;
    if (!known.length) return;
    const likely = (f) => (finite(f.chance) ? f.chance : 2);
    byId("sentence").textContent = [...known].sort((a, b) => likely(a) - likely(b))[0].sentence + ".";
    const odds = (p) => (!finite(p) ? "–" : p <= 1e-6 ? "< 1 of 1,000,000" : "1 of " + (p > 0.1 ? page.short(1 / p, 2) : page.grouped(Number((1 / p).toPrecision(3)))));
    const range = (c) => (finite(c?.low) ? coefficient(c.low) + " to " + coefficient(c.high) : "");
    page.table(byId("table"), {
      caption: "Against " + state.quality, rows: known,
      columns: [
        { key: "metric", label: "metric" }, { key: "n", label: "n", num: true },
        ...[["pearson", "r"], ["spearman", "ρ"], ["kendall", "τ"]].flatMap(([key, label]) => [
          { key, label, num: true, get: (f) => f[key]?.value, show: (f) => coefficient(f[key]?.value) },
          { key: key + "-range", label: "95 %", get: (f) => f[key]?.low, show: (f) => range(f[key]) },
        ]),
        { key: "chance", label: "chance", get: (f) => f.chance, show: (f) => odds(f.chance) },
        { key: "r2", label: "R²", num: true, get: (f) => f.line?.r2, show: (f) => coefficient(f.line?.r2) },
        { key: "rmse", label: "RMSE", num: true, get: (f) => f.line?.rmse },
        { key: "loo", label: "LOO", num: true, get: (f) => f.line?.loo_rmse },
        { key: "mean", label: "LOO of the mean", num: true, get: (f) => f.line?.loo_rmse_of_mean },
      ],
    });
  }

  // ------------------------------------------------------------------------------------------------------- details

  /** Points of many layers: more than these are drawn in one go. */
  const MANY = 3000;

  function details(figure, parts) {
    const xName = state.by === "depth" ? "depth" : "layer id";
    const lined = figure.apart === "variant";
    for (const name of columns.filter((c) => figure.models.some((m) => m.columns[c] !== undefined))) {
      const label = () => figure.title + ": " + name + " by " + xName + " of " + plural(figure.models.reduce((n, m) => n + m.layers, 0), "layer");
      panel([el("b", {}, name)], label, (theme) => {
        const shown = parts.filter((s) => !hidden.has(s.name)).map((s) => cloud(s, name));
        return {
          grid: { left: 66, right: 20, top: 14, bottom: 46 },
          tooltip: page.tooltip(theme, (p) => {
            const [m, row] = shown[p.seriesIndex].layer(p.dataIndex);
            return page.tip(word(m, "names", row) || "layer " + ids(m)[row], [
              [name, number(column(m, name)[row])], ["model", m.label], ["type", word(m, "types", row)], ["layer id", String(ids(m)[row])],
            ]);
          }),
          xAxis: page.axis(xName, theme, { axisLabel: { color: theme.dim, formatter: (v) => page.short(v) } }),
          yAxis: page.axis(name, theme, {
            type: state.log ? "log" : "value", nameGap: 46, axisLabel: { color: theme.dim, formatter: (v) => page.short(v) },
          }),
          series: shown.map((s) => ({
            type: lined ? "line" : "scatter", name: s.name, dimensions: ["x", "y"], data: s.points, connectNulls: false,
            symbol: look(theme, s.at).symbol, symbolSize: lined ? 5 : 4, showSymbol: true, showAllSymbol: true,
            large: !lined && s.points.length / 2 > MANY, largeThreshold: MANY, progressive: 0,
            itemStyle: { color: look(theme, s.at).color, opacity: lined ? 1 : 0.65 },
            lineStyle: { color: look(theme, s.at).color, width: 1.2, opacity: 0.8 },
          })),
        };
      }, figure.models.length === 1 ? 260 : 300);
    }
    histogram(figure, parts);
    byId("worth").hidden = true;
  }

  /** The layers of a series' models as pairs of numbers, and which layer a pair is of. */
  function cloud(s, name) {
    const list = s.models.filter((m) => column(m, name));
    const starts = [];
    let count = 0;
    for (const m of list) { starts.push(count); count += m.layers; }
    const points = new Float64Array(2 * count);
    let at = 0;
    for (const m of list) {
      const [values, places, last] = [column(m, name), ids(m), Math.max(1, m.layers - 1)];
      for (let row = 0; row < m.layers; row++) {
        const y = values[row];
        points[at++] = state.by === "depth" ? row / last : places[row];
        points[at++] = Number.isFinite(y) && !(state.log && y <= 0) ? y : NaN;
      }
    }
    const layer = (index) => {
      let model = starts.length - 1;
      while (model > 0 && starts[model] > index) model--;
      return [list[model], index - starts[model]];
    };
    return { name: s.name, at: s.at, points, layer };
  }

  /** How often which alpha. */
  function histogram(figure, parts) {
    if (!columns.includes("alpha")) return;
    const label = () => figure.title + ": how often which alpha, as a share of layers";
    panel([el("b", {}, "alpha"), " how often, as a share of the layers"], label, (theme) => {
      const shown = parts.filter((s) => !hidden.has(s.name)).map((s) => ({
        ...s, values: s.models.flatMap((m) => [...(column(m, "alpha") ?? [])].filter((v) => Number.isFinite(v) && v > 0)),
      }));
      const all = shown.flatMap((s) => s.values).sort((a, b) => a - b);
      // Few layers of huge alpha would press all others into one bin.
      const high = Math.min(all[Math.floor(all.length * 0.98)] ?? 8, 20);
      const width = [0.1, 0.25, 0.5, 1].find((w) => (high - 1) / w <= 40) ?? 1;
      const bins = Math.max(1, Math.ceil((high - 1) / width));
      return {
        grid: { left: 60, right: 20, top: 14, bottom: 46 },
        tooltip: page.tooltip(theme, (p) => page.tip(p.seriesName, [
          ["alpha", number(p.data[0] - width / 2) + " to " + number(p.data[0] + width / 2)], ["layers", number(100 * p.data[1], 3) + " %"],
        ])),
        xAxis: page.axis("alpha", theme),
        yAxis: page.axis("share", theme, { nameGap: 42, min: 0 }),
        series: shown.map((s) => {
          const counts = new Array(bins).fill(0);
          for (const v of s.values) counts[Math.max(0, Math.min(bins - 1, Math.floor((v - 1) / width)))]++;
          return {
            type: "line", step: "middle", name: s.name, symbolSize: 4, symbol: look(theme, s.at).symbol, itemStyle: { color: look(theme, s.at).color },
            lineStyle: { color: look(theme, s.at).color, width: 1.5 }, areaStyle: shown.length === 1 ? { opacity: 0.25 } : null,
            data: counts.map((c, k) => [1 + (k + 0.5) * width, s.values.length ? c / s.values.length : 0]),
          };
        }),
      };
    }, 300);
  }

  // ------------------------------------------------------------------------------------------------------ controls

  function choose(key) {
    if (key !== state.figure) hidden.clear();
    state.figure = key;
    show();
  }
  byId("which").addEventListener("change", () => choose(byId("which").value));
  for (const [id, step] of [["previous", -1], ["next", 1]]) {
    byId(id).addEventListener("click", () => choose(figures[figures.indexOf(current) + step].key));
  }
  for (const id of ["quality", "by"]) byId(id).addEventListener("change", () => { state[id] = byId(id).value; show(); });
  for (const id of ["log", "lines"]) byId(id).addEventListener("change", () => { state[id] = byId(id).checked ? "1" : ""; show(); });
  byId("csv").addEventListener("click", () => {
    if (!current) return;
    if (current.kind === "summary") {
      const names = ["architecture", "variant", "layers", ...data.metrics, ...qualities];
      const row = (m) => [m.architecture, m.variant, m.layers, ...data.metrics.map((k) => m.summary[k]), ...qualities.map((q) => m.quality[q]?.[0])];
      page.download("summary.csv", page.csv(names, current.models.map(row)));
      return;
    }
    const names = ["architecture", "variant", "layer_id", "name", "layer_type", ...columns];
    const cell = (m, name, row) => { const v = column(m, name)?.[row]; return Number.isFinite(v) ? v : null; };
    const rows = current.models.flatMap((m) => Array.from({ length: m.layers }, (_, row) => [
      m.architecture, m.variant, ids(m)[row], word(m, "names", row), word(m, "types", row), ...columns.map((c) => cell(m, c, row)),
    ]));
    page.download("details.csv", page.csv(names, rows));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => current && legend(series(current)));
  const drawAll = () => made.forEach((p) => p.draw());
  addEventListener("beforeprint", drawAll);
  show();

  // A page that is served loads itself anew when its store has changed.
  if (data.version) {
    const ask = async () => {
      try {
        const answer = await fetch("version", { cache: "no-store" });
        if (answer.ok && (await answer.text()) !== data.version) { location.reload(); return; }
      } catch {
        // The server is gone; what is shown stays.
      }
      setTimeout(ask, 1500);
    };
    setTimeout(ask, 1500);
  }

  return { figures: figures.map((f) => f.key), choose, drawAll, charts: () => made.map((p) => p.chart).filter(Boolean) };
})();
