// The page of a training run.
"use strict";

(() => {
  const { el, byId, number, finite } = page;
  const data = page.data("series");
  const commits = data.commits;
  const steps = commits.map((c) => c.step);
  const place = new Map(steps.map((s, k) => [s, k]));
  const raised = commits.filter((c) => c.level && c.level !== "none");
  const plural = (n, word) => page.grouped(n) + " " + word + (n === 1 ? "" : "s");
  const when = (k) => "step " + page.grouped(steps[k]) + (finite(commits[k].epoch) ? ", epoch " + number(commits[k].epoch) : "");
  const ends = (values) => values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);

  byId("name").textContent = data.name;
  byId("facts").textContent = [
    plural(commits.length, "analysed commit"), "steps " + page.grouped(steps[0]) + " to " + page.grouped(steps.at(-1)),
    plural(data.layers.length, "tensor"), "Eigenscope " + data.eigenscope,
  ].join(" · ");
  const count = (level) => commits.filter((c) => c.level === level).length;
  byId("verdict").append(
    el("span", { class: count("stop") ? "bad" : "dim" }, plural(count("stop"), "stop")), ", ",
    el("span", { class: count("warn") ? "under" : "dim" }, plural(count("warn"), "warning")), ", ",
    el("span", { class: count("snapshot") ? "good" : "dim" }, plural(count("snapshot"), "snapshot") + " advised"), ".");

  const tint = (theme, level) => ({ stop: theme.bad, warn: theme.under, snapshot: theme.good })[level] ?? theme.dim;
  const sign = (level) => ({ stop: "rect", warn: "triangle", snapshot: "circle" })[level] ?? "pin";

  // ---------------------------------------------------------------------------------------------------- timeline

  const means = data.metrics.filter((m) => commits.some((c) => finite(c.means[m])));
  const own = [...new Set(commits.flatMap((c) => c.metrics.map(([n]) => n)))];
  byId("mean").append(...means.map((m) => el("option", { value: m }, m)));
  byId("own").append(el("option", { value: "" }, "nothing"), ...own.map((n, k) => el("option", { value: String(k) }, n)));
  if (own.length) byId("own").value = "0";
  const axisOfSteps = (theme) => ({
    ...page.axis("step", theme, { type: "category", data: steps.map((s) => page.grouped(s)), scale: undefined }),
    splitLine: { show: false },
  });

  const timeline = page.chart(byId("timeline"), {
    height: 340,
    label: () => "Mean " + byId("mean").value + " over " + plural(commits.length, "commit") + " with " + plural(raised.length, "alarm"),
    option: (theme) => {
      const metric = byId("mean").value;
      const beside = byId("own").value === "" ? null : own[Number(byId("own").value)];
      const values = commits.map((c) => c.means[metric] ?? null);
      const other = beside === null ? null : commits.map((c) => c.metrics.find(([n]) => n === beside)?.[1] ?? null);
      const [low, high] = ends(values.filter(finite));
      const marks = commits.map((c, k) => ({ c, k })).filter((m) => m.c.level && m.c.level !== "none");
      return {
        grid: { left: 66, right: other ? 66 : 20, top: 34, bottom: 48 },
        legend: { top: 0, textStyle: { color: theme.ink }, inactiveColor: theme.line },
        tooltip: page.tooltip(theme, (ps) => {
          const k = ps[0].dataIndex;
          const lines = [["mean " + metric, number(commits[k].means[metric])]];
          if (beside !== null) lines.push([beside, number(other[k])]);
          if (commits[k].level && commits[k].level !== "none") lines.push([commits[k].level, commits[k].flags.join(", ")]);
          return page.tip(when(k), lines);
        }, { trigger: "axis" }),
        xAxis: axisOfSteps(theme),
        yAxis: [
          page.axis("mean " + metric, theme, { nameGap: 46, axisLabel: { color: theme.dim, formatter: (v) => page.short(v) } }),
          page.axis(beside ?? "", theme, { nameGap: 46, show: !!other, splitLine: { show: false }, axisLabel: { color: theme.dim, formatter: (v) => page.short(v) } }),
        ],
        series: [
          {
            name: "mean " + metric, type: "line", data: values, symbol: "none", itemStyle: { color: theme.series[0] },
            lineStyle: { color: theme.series[0], width: 2.5 },
          },
          !other ? null : {
            name: beside, type: "line", yAxisIndex: 1, data: other, symbol: "none", itemStyle: { color: theme.fit },
            lineStyle: { color: theme.fit, width: 2, type: "dashed" },
          },
          ...["stop", "warn", "snapshot"].filter((l) => count(l)).map((level) => ({
            name: level, type: "scatter", symbol: sign(level), symbolSize: 12, z: 5,
            itemStyle: { color: tint(theme, level), borderColor: theme.back, borderWidth: 1 },
            data: commits.map((c, k) => (c.level === level ? values[k] ?? (low + high) / 2 : null)),
          })),
        ].filter(Boolean),
      };
    },
  });
  for (const id of ["mean", "own"]) byId(id).addEventListener("change", timeline.draw);

  // ---------------------------------------------------------------------------------------------------- heat-map

  const roles = [...new Set(data.layers.map((l) => l.role))];
  byId("role").append(...roles.map((r) => el("option", { value: r }, r || "all")));
  const metrics = data.metrics.filter((m) => data.layers.some((l) => l.values[m].some(finite)));
  byId("metric").append(...metrics.map((m) => el("option", { value: m }, m)));
  const which = byId("which");
  const shown = () => data.layers.filter((l) => l.role === byId("role").value);
  const fill = () => which.replaceChildren(...shown().map((l, k) => el("option", { value: String(k) }, l.name)));
  fill();

  const map = page.chart(byId("map"), {
    height: Math.max(220, Math.min(900, 110 + 18 * Math.max(...roles.map((r) => data.layers.filter((l) => l.role === r).length), 1))),
    renderer: "canvas",
    label: () => "Heat-map of " + byId("metric").value + ", " + plural(shown().length, "layer") + " by " + plural(commits.length, "commit"),
    option: (theme) => {
      const metric = byId("metric").value;
      const cells = shown().flatMap((l, row) => l.steps.flatMap((s, k) => {
        const value = l.values[metric][k];
        return finite(value) && place.has(s) ? [[place.get(s), row, value]] : [];
      }));
      const sorted = cells.map((c) => c[2]).sort((a, b) => a - b);
      const at = (share) => sorted[Math.round((sorted.length - 1) * share)] ?? 0;
      const viridis = ["#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725"];
      return {
        grid: { left: 200, right: 96, top: 10, bottom: 48 },
        tooltip: page.tooltip(theme, (p) => page.tip(shown()[p.value[1]].name, [[when(p.value[0]), ""], [metric, number(p.value[2])]])),
        xAxis: { ...axisOfSteps(theme), splitArea: { show: false } },
        yAxis: {
          type: "category", data: shown().map((l) => l.name), inverse: true, axisLine: { lineStyle: { color: theme.dim } },
          axisLabel: { color: theme.dim, width: 185, overflow: "truncate" },
        },
        visualMap: {
          min: at(0.02), max: at(0.98) > at(0.02) ? at(0.98) : at(0.02) + 1, calculable: true, orient: "vertical", right: 4, top: "middle", precision: 3,
          inRange: { color: viridis }, textStyle: { color: theme.ink }, formatter: (v) => page.short(v),
        },
        series: [{ type: "heatmap", data: cells, progressive: 0, emphasis: { itemStyle: { borderColor: theme.ink, borderWidth: 1 } } }],
      };
    },
  });
  map.instance.on("click", (p) => { which.value = String(p.value[1]); line.draw(); });

  const line = page.chart(byId("line"), {
    height: 260,
    label: () => byId("metric").value + " of one layer over the run",
    option: (theme) => {
      const layer = shown()[Number(which.value)];
      const metric = byId("metric").value;
      byId("line-caption").textContent = layer ? metric + " of " + layer.name : "";
      if (!layer) return {};
      const values = steps.map(() => null);
      layer.steps.forEach((s, k) => { if (place.has(s)) values[place.get(s)] = layer.values[metric][k]; });
      return {
        grid: { left: 66, right: 20, top: 14, bottom: 48 },
        tooltip: page.tooltip(theme, (ps) => page.tip(when(ps[0].dataIndex), [[metric, number(ps[0].value)]]), { trigger: "axis" }),
        xAxis: axisOfSteps(theme),
        yAxis: page.axis(metric, theme, { nameGap: 46, axisLabel: { color: theme.dim, formatter: (v) => page.short(v) } }),
        series: [{
          type: "line", data: values, connectNulls: true, symbolSize: 5, itemStyle: { color: theme.series[0] },
          lineStyle: { color: theme.series[0], width: 2 },
        }],
      };
    },
  });
  byId("metric").addEventListener("change", () => { map.draw(); line.draw(); });
  byId("role").addEventListener("change", () => { fill(); map.draw(); line.draw(); });
  which.addEventListener("change", line.draw);

  // ------------------------------------------------------------------------------------------------------ tables

  page.table(byId("alarms"), {
    caption: raised.length ? plural(raised.length, "commit") + " with an alarm or advice" : "no alarm in this run", rows: raised,
    columns: [
      { key: "step", label: "step", num: true }, { key: "epoch", label: "epoch", num: true },
      { key: "level", label: "level", show: (c) => el("span", { class: { stop: "bad", warn: "under", snapshot: "good" }[c.level] }, c.level) },
      { key: "flags", label: "rules", class: "wide", get: (c) => c.flags.join(", ") },
    ],
  });
  const last = (values) => values.findLast(finite);
  page.table(byId("table"), {
    caption: plural(data.layers.length, "tensor"), rows: data.layers,
    columns: [
      { key: "name", label: "name", class: "wide" }, { key: "role", label: "role" },
      { key: "step", label: "step", num: true, get: (l) => l.steps.at(-1) },
      ...metrics.map((m) => ({ key: m, label: m, num: true, get: (l) => last(l.values[m]) })),
    ],
  });
  byId("csv").addEventListener("click", () => {
    const names = ["step", "name", "role", "segment", ...data.metrics];
    const rows = data.layers.flatMap((l) => l.steps.map((s, k) => [s, l.name, l.role, l.segments[k], ...data.metrics.map((m) => l.values[m][k])]));
    page.download("history.csv", page.csv(names, rows));
  });
})();
