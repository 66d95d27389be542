// The page of one model.
"use strict";

(() => {
  const { el, byId, number, finite } = page;
  const data = page.data("report");
  const layers = data.rows.filter((r) => r.status !== "skipped");
  const fitted = layers.filter((r) => r.status === "success" && finite(r.alpha));
  const drawn = layers.filter((r) => r._view);
  let chosen = drawn[0] ?? null;
  const label = (r) => r.name + (finite(r.slice_id) ? ":" + r.slice_id : "");
  const plural = (n, word) => page.grouped(n) + " " + word + (n === 1 ? "" : "s");

  // ------------------------------------------------------------------------------------------------------- the head

  byId("name").textContent = data.model.name;
  byId("facts").textContent = [
    data.model.loader, plural(data.model.tensors, "tensor"), page.grouped(data.model.parameters) + " parameters",
    "conventions " + data.conventions, "Eigenscope " + data.eigenscope,
  ].join(" · ");

  const summary = data.summary;
  const verdict = byId("verdict");
  const say = (n, words, style) => el("span", { class: n ? style : "dim" }, n + " " + words);
  verdict.append(
    plural(summary.analyzed, finite(layers.find((r) => finite(r.slice_id))?.slice_id) ? "row" : "layer") + " analysed: ",
    say(summary.over_trained, "over-trained (alpha below 2)", "over"), ", ",
    say(summary.under_trained, "under-trained (alpha above 6)", "under"), ", ",
    say(summary.failed, "failed", "bad"), ". ", plural(summary.skipped, "tensor") + " skipped.",
  );
  const cards = Object.keys(summary.layers_in_mean).map((name) => [name, summary[name]]);
  byId("cards").append(...cards.map(([name, value]) => el("li", { title: meaning(name) },
    "mean " + name, el("b", {}, number(value)))));

  function meaning(name) {
    const column = data.columns.find((c) => c.name === name);
    return column ? column.doc + (column.reading ? ". " + column.reading : "") : "";
  }

  // ---------------------------------------------------------------------------------------------------- by depth

  const numeric = data.columns.map((c) => c.name).filter((n) => n !== "layer_id" && fitted.some((r) => finite(r[n])));
  const by = byId("by");
  by.append(...numeric.map((n) => el("option", { value: n }, n)));
  by.value = "alpha";
  const color = (theme, r) =>
    r.warning === "over-trained" ? theme.over : r.warning === "under-trained" ? theme.under : theme.series[0];
  const symbol = (r) =>
    r.warning === "over-trained" ? "triangle" : r.warning === "under-trained" ? "diamond" : "circle";

  const depth = page.chart(byId("depth"), {
    height: 340,
    label: () => {
      const values = layers.map((r) => r[by.value]).filter(finite);
      const ends = values.length ? number(Math.min(...values)) + " to " + number(Math.max(...values)) : "none";
      return by.value + " of " + plural(values.length, "layer") + " by depth: " + ends + ". The table below has each.";
    },
    option: (theme) => {
      const shown = layers.map((r, at) => ({ r, at })).filter((p) => finite(p.r[by.value]));
      return {
        grid: { left: 62, right: 16, top: 16, bottom: 46 },
        tooltip: page.tooltip(theme, (p) => page.tip(label(layers[p.value[0]]), [
          [by.value, number(p.value[1])], ["type", layers[p.value[0]].layer_type], ["id", String(layers[p.value[0]].layer_id)],
        ]), { trigger: "item" }),
        xAxis: page.axis("layer, in the order of the file", theme, {
          min: -0.5, max: Math.max(layers.length - 0.5, 0.5), minInterval: 1, splitLine: { show: false },
          axisLabel: { color: theme.dim, formatter: (v) => (Number.isInteger(v) ? String(v) : "") },
        }),
        yAxis: page.axis(by.value, theme, { nameGap: 44 }),
        series: [
          {
            type: "line", data: shown.map((p) => [p.at, p.r[by.value]]), silent: true, symbol: "none",
            lineStyle: { color: theme.line, width: 1 },
            markArea: by.value !== "alpha" ? undefined : {
              silent: true, itemStyle: { color: theme.good, opacity: 0.1 }, data: [[{ yAxis: 2 }, { yAxis: 6 }]],
            },
          },
          {
            type: "scatter", symbolSize: layers.length > 120 ? 7 : 10, cursor: "pointer", z: 4,
            data: shown.map((p) => ({
              value: [p.at, p.r[by.value]], symbol: symbol(p.r),
              itemStyle: {
                color: color(theme, p.r), borderColor: p.r === chosen ? theme.ink : theme.back,
                borderWidth: p.r === chosen ? 3 : 0.5,
              },
            })),
          },
        ],
      };
    },
  });
  depth.instance.on("click", (p) => { if (p.seriesType === "scatter") choose(layers[p.value[0]]); });

  const histogram = page.chart(byId("histogram"), {
    height: 340,
    label: () => "Histogram of " + by.value,
    option: (theme) => {
      const values = fitted.map((r) => r[by.value]).filter(finite).sort((a, b) => a - b);
      const low = values[0] ?? 0;
      const high = values.at(-1) ?? 1;
      const bins = Math.max(5, Math.min(30, Math.ceil(2 * Math.sqrt(values.length))));
      const width = (high - low) / bins || 1;
      const counts = Array(bins).fill(0);
      values.forEach((v) => counts[Math.min(bins - 1, Math.floor((v - low) / width))]++);
      const fill = (x) => by.value === "alpha" && x < 2 ? theme.over : by.value === "alpha" && x > 6 ? theme.under : theme.bars;
      return {
        grid: { left: 48, right: 12, top: 16, bottom: 46 },
        tooltip: page.tooltip(theme, (p) => page.tip(
          number(p.value[0], 3) + " to " + number(p.value[1], 3), [["layers", String(p.value[2])]])),
        xAxis: page.axis(by.value, theme, { min: low, max: low + width * bins, splitLine: { show: false },
          axisLabel: { color: theme.dim, formatter: (v) => page.short(v), hideOverlap: true, showMinLabel: false, showMaxLabel: false } }),
        yAxis: page.axis("layers", theme, { min: 0, minInterval: 1, nameGap: 30, scale: false }),
        series: [bars(counts.map((n, k) => [low + k * width, low + (k + 1) * width, n]), (v) => fill(0.5 * (v[0] + v[1])), 0)],
      };
    },
  });
  by.addEventListener("change", () => { depth.draw(); histogram.draw(); });

  /** Bars between [from, to] of a height, from a floor up. */
  function bars(values, fill, floor, more = {}) {
    return {
      type: "custom", data: values, encode: { x: [0, 1], y: 2 }, ...more,
      renderItem: (params, api) => {
        const [left, top] = api.coord([api.value(0), api.value(2)]);
        const [right, bottom] = api.coord([api.value(1), floor]);
        if (api.value(2) <= floor) return null;
        const shape = { x: left, y: top, width: Math.max(right - left - 0.5, 0.5), height: bottom - top };
        const value = [api.value(0), api.value(1), api.value(2)];
        return {
          type: "rect", shape: echarts.graphic.clipRectByRect(shape, params.coordSys),
          style: { fill: typeof fill === "function" ? fill(value) : fill, opacity: more.opacity ?? 1 },
        };
      },
    };
  }

  // ------------------------------------------------------------------------------------------------- one layer

  const which = byId("which");
  which.append(...drawn.map((r, k) => el("option", { value: k }, r.layer_id + "  " + label(r))));

  const log = Math.log10;
  function densities(h) {
    const [low, high] = [log(h.low), log(h.high)];
    const step = (high - low) / h.counts.length;
    const total = h.counts.reduce((a, b) => a + b, 0);
    return h.counts.map((n, k) => {
      const [from, to] = [low + k * step, low + (k + 1) * step];
      return [from, to, n ? log(n / (total * (10 ** to - 10 ** from))) : -Infinity, n];
    });
  }

  const esd = page.chart(byId("esd"), {
    height: 480,
    label: () => chosen
      ? "Density of the eigenvalues of " + label(chosen) + " on logarithmic axes. " + words(chosen) : "No spectrum",
    option: (theme) => {
      if (!chosen) return {};
      const view = chosen._view;
      const all = densities(view.esd);
      const filled = all.filter((b) => b[3]).map((b) => b[2]);
      const ends = view.fit.length ? [log(view.fit.at(-1)[1])] : [];
      const low = Math.min(...filled, ...ends.map((e) => Math.max(e, Math.min(...filled) - 2))) - 0.2;
      const drawn = view.random ? densities(view.random).filter((b) => b[3]).map((b) => b[2]) : [];
      const high = Math.max(...filled, ...drawn) + 0.2;
      const room = 0.02 * (log(view.esd.high) - log(view.esd.low));
      const at = (points) => points.map(([x, y]) => [log(x), log(y)]);
      const line = (x, name, tint, type) => ({
        type: "line", name, data: [[log(x), low], [log(x), high]], symbol: "none", silent: true,
        lineStyle: { color: tint, width: 1.5, type }, itemStyle: { color: tint },
      });
      const series = [bars(all.filter((b) => b[3]), theme.bars, low, { name: "spectrum", itemStyle: { color: theme.bars } })];
      if (view.random) {
        series.push(bars(densities(view.random).filter((b) => b[3]), theme.random, low,
          { name: "random order", itemStyle: { color: theme.random }, opacity: 0.5 }));
      }
      if (view.fit.length) {
        series.push(
          { type: "scatter", name: "tail", data: at(view.tail), symbolSize: 6, itemStyle: { color: theme.ink }, z: 4 },
          {
            type: "line", name: "fit", data: at(view.fit), symbol: "none", z: 5,
            lineStyle: { color: theme.fit, width: 3, type: "dashed" }, itemStyle: { color: theme.fit },
          },
          line(view.xmin, "xmin", theme.xmin, "dashed"),
        );
      }
      if (view.edge) series.push(line(view.edge, "bulk edge", theme.edge, "solid"));
      if (view.at.length) {
        series.push({
          type: "scatter", name: "spikes", data: view.at.map((x) => [log(x), low + 0.02 * (high - low)]), symbol: "triangle",
          symbolSize: 9, itemStyle: { color: theme.over }, z: 6,
        });
      }
      return {
        grid: { left: 70, right: 16, top: 40, bottom: 48 },
        legend: { top: 0, textStyle: { color: theme.ink }, inactiveColor: theme.line, icon: "roundRect", itemWidth: 16, itemHeight: 8 },
        tooltip: page.tooltip(theme, (p) => p.seriesType === "custom"
          ? page.tip("λ from " + number(10 ** p.value[0]) + " to " + number(10 ** p.value[1]), [["values", String(p.value[3])]])
          : page.tip("λ = " + number(10 ** p.value[0]), [[p.seriesName, p.seriesName === "spikes" ? "" : number(10 ** p.value[1])]])),
        xAxis: page.logAxis("eigenvalue λ", log(view.esd.low) - room, log(view.esd.high) + room, theme),
        yAxis: page.logAxis("probability density", low, high, theme, { nameGap: 50 }),
        series,
      };
    },
  });

  function scan(host, place, name, row) {
    return page.chart(byId(host), {
      height: 225,
      label: () => name + " for every xmin of " + (chosen ? label(chosen) : "no layer"),
      option: (theme) => {
        const points = (chosen?._view.scan ?? []).filter((c) => finite(c[place]));
        if (!points.length) return {};
        const values = points.map((c) => c[place]).sort((a, b) => a - b);
        const most = Math.max(values[Math.floor((values.length - 1) * 0.97)], chosen[row] ?? 0) * 1.05;
        const [low, high] = [log(points[0][0]), log(points.at(-1)[0])];
        return {
          grid: { left: 56, right: 12, top: 10, bottom: 40 },
          tooltip: page.tooltip(theme, (p) => page.tip("xmin = " + number(10 ** p.value[0]), [[name, number(p.value[1])]])),
          xAxis: page.logAxis("xmin", low - 0.03, high + 0.03, theme, { nameGap: 24 }),
          yAxis: page.axis(name, theme, { nameGap: 38, max: most, splitNumber: 4,
            axisLabel: { color: theme.dim, formatter: (v) => page.short(v), showMaxLabel: false } }),
          series: [
            {
              type: "scatter", symbolSize: 4, itemStyle: { color: theme.series[0] },
              data: points.map((c) => [log(c[0]), c[place]]),
            },
            !finite(chosen.xmin) ? null : {
              type: "scatter", symbolSize: 12, symbol: "diamond", itemStyle: { color: theme.fit }, z: 5,
              data: [[log(chosen.xmin), chosen[row]]],
            },
          ].filter(Boolean),
        };
      },
    });
  }
  const scans = [scan("scan-d", 1, "D", "D"), scan("scan-alpha", 2, "alpha", "alpha")];

  function words(r) {
    if (r.status !== "success") return r.reason;
    const parts = ["alpha " + number(r.alpha), "D " + number(r.D), "xmin " + number(r.xmin), "sigma " + number(r.sigma),
      r.num_pl_spikes + " of " + r.num_evals + " eigenvalues in the tail", r.N + " × " + r.M];
    if (r._view?.edge) parts.push(plural(r._view.spikes, "spike") + " beyond the bulk's edge " + number(r._view.edge));
    if (r.best_fit) parts.push("best fit " + r.best_fit);
    if (r.warning) parts.push(r.warning);
    return parts.join(", ") + ".";
  }

  function choose(row, scroll) {
    if (!row?._view) return;
    chosen = row;
    const at = drawn.indexOf(row);
    which.value = String(at);
    byId("previous").disabled = at <= 0;
    byId("next").disabled = at >= drawn.length - 1;
    byId("numbers").textContent = label(row) + ": " + words(row);
    [esd, ...scans, depth].forEach((c) => c.draw());
    table?.draw();
    if (scroll) byId("h-layer").scrollIntoView({ block: "start" });
  }
  which.addEventListener("change", () => choose(drawn[Number(which.value)]));
  byId("previous").addEventListener("click", () => choose(drawn[drawn.indexOf(chosen) - 1]));
  byId("next").addEventListener("click", () => choose(drawn[drawn.indexOf(chosen) + 1]));

  // -------------------------------------------------------------------------------------------------- the table

  const has = (name) => layers.some((r) => r[name] !== null && r[name] !== undefined && r[name] !== "");
  const main = ["layer_id", "slice_id", "name", "warning", "layer_type", "N", "M", "num_evals", "alpha", "D", "sigma", "xmin",
    "num_pl_spikes", "log_norm", "log_spectral_norm", "stable_rank", "alpha_weighted", "num_spikes", "num_traps", "best_fit"];
  const words_columns = new Set(["name", "longname", "layer_type", "status", "reason", "warning", "dtype", "combines"]);
  const column = (name) => {
    const num = !words_columns.has(name) && layers.some((r) => finite(r[name]));
    const made = { key: name, label: name, title: meaning(name), num };
    if (name === "name") {
      made.show = (r) => r._view ? el("button", { type: "button", class: "link", onclick: () => choose(r, true) }, r.name) : r.name;
    } else if (name === "warning") {
      made.show = (r) => el("span", { class: r.status === "failed" ? "bad" : r.warning === "over-trained" ? "over" : "under" },
        r.status === "failed" ? "failed: " + r.reason : r.warning ?? "");
      made.get = (r) => (r.status === "failed" ? "failed" : r.warning);
    } else if (!num) {
      made.show = (r) => Array.isArray(r[name]) ? r[name].join(" × ") : typeof r[name] === "object" && r[name] ? JSON.stringify(r[name]) : String(r[name] ?? "");
    }
    return made;
  };
  const some = main.filter((n) => has(n) || n === "warning").map(column);
  const every = data.columns.map((c) => c.name).filter(has).map(column);

  const [status, kind, filter] = ["status", "kind", "filter"].map(byId);
  const options = (name) => [...new Set(layers.map((r) => r[name]))].sort();
  status.append(...["all", ...options("status")].map((s) => el("option", { value: s }, s)));
  kind.append(...["all", ...options("layer_type")].map((s) => el("option", { value: s }, s)));
  const kept = () => layers.filter((r) =>
    (status.value === "all" || r.status === status.value) && (kind.value === "all" || r.layer_type === kind.value) &&
    filter.value.trim().toLowerCase().split(/\s+/).every((term) =>
      [r.name, r.longname, r.layer_type, r.warning, r.status].join(" ").toLowerCase().includes(term)));
  const table = page.table(byId("table"), {
    columns: some, rows: layers, selected: (r) => r === chosen,
    caption: (rows) => plural(rows.length, "row") + " of " + page.grouped(layers.length) +
      ". Headings sort; the name of a layer shows its spectrum.",
  });
  for (const input of [status, kind, filter]) input.addEventListener("input", () => table.rows(kept()));
  byId("all").addEventListener("change", (e) => table.columns(e.target.checked ? every : some));

  const names = data.columns.map((c) => c.name).filter((n) => data.rows.some((r) => n in r));
  byId("csv").addEventListener("click", () => {
    const cell = (v) => (v !== null && typeof v === "object" && !Array.isArray(v) ? JSON.stringify(v) : v);
    const text = page.csv(names, data.rows.map((r) => names.map((n) => cell(r[n]))));
    const plain = data.model.name.split(/[\\/]/).pop().replace(/[^\w.-]+/g, "_");
    page.download(plain + ".csv", text);
  });

  // ----------------------------------------------------------------------------------- what was left out, and how

  const left = data.rows.filter((r) => r.status === "skipped");
  if (left.length) {
    page.table(byId("reasons"), {
      caption: plural(left.length, "tensor"), rows: left,
      columns: [
        { key: "longname", label: "tensor", class: "wide" }, { key: "layer_type", label: "type" },
        { key: "shape", label: "shape", get: (r) => r.shape?.join?.(" × ") ?? String(r.shape ?? "") },
        { key: "dtype", label: "dtype" }, { key: "reason", label: "reason", class: "wide" },
      ],
    });
  } else {
    byId("skipped").remove();
  }

  const pairs = (host, entries) => byId(host).append(...entries.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  const text = (v) => (v !== null && typeof v === "object" ? JSON.stringify(v) : String(v));
  pairs("made", [["model", data.model.name], ["loader", data.model.loader], ["Eigenscope", data.eigenscope],
    ["conventions", data.conventions]]);
  const changed = Object.entries(data.options).filter(([n, v]) => n !== "conventions" && JSON.stringify(v) !== JSON.stringify(data.defaults[n]));
  pairs("options", changed.length ? changed.map(([n, v]) => [n, text(v)]) : [["", "all at their defaults"]]);
  pairs("meanings", data.columns.filter((c) => has(c.name)).map((c) => [c.name, meaning(c.name)]));
  const metadata = Object.entries(data.model.metadata ?? {});
  pairs("metadata", metadata.length ? metadata.map(([n, v]) => [n, text(v)]) : [["", "nothing"]]);

  if (chosen) choose(chosen);
})();
