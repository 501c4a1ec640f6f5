// Burn-up and flow, drawn by uPlot.
let charts = [];
// Drawn when all figures are there: a plot is as wide as its figure is then.
const drawings = [];

function drawCharts() {
  for (const chart of charts) chart.destroy();
  charts = [];
  $("charts").replaceChildren();
  drawings.length = 0;
  const finished = own.filter((task) => task.state === "done" && task.done).sort((a, b) => Date.parse(a.done) - Date.parse(b.done));
  burnUp();
  throughput(finished);
  cycleTimes(finished.filter((task) => task.cycle !== null && !task.skewed));
  for (const draw of drawings) draw();
}

function figure(title, text, draw) {
  const box = el("div", { className: "plot" });
  const made = el("figure", {}, el("h3", { textContent: title }), box, el("figcaption", { className: "hint", textContent: text }));
  $("charts").append(made);
  if (draw) drawings.push(() => draw(box));
  else {
    box.append(empty(text));
    made.lastChild.remove();
  }
}

// How uPlot writes dates on an axis: from a span of seconds on, each tick and where a year begins.
const DATES = [
  [365 * 86400, "{YYYY}", null, null, null, null, null, null, 1],
  [28 * 86400, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [86400, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [1, "{HH}:{mm}", null, null, "\n{D} {MMM}", null, null, null, 1],
];
// Hours that read well on a logarithmic axis.
const HOURS = [1 / 60, 5 / 60, 0.25, 1, 4, 24, 72, 168, 720, 2160, 8760];

function plot(box, options, series) {
  const axis = { stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 }, font: "11px system-ui, sans-serif" };
  const [xAxis, yAxis] = options.axes;
  charts.push(new uPlot({
    width: Math.max(200, box.clientWidth), height: 230, cursor: { drag: { x: false, y: false } },
    legend: { show: true }, ...options,
    axes: [{ ...axis, values: DATES, ...xAxis }, { ...axis, ...yAxis }],
  }, series, box));
}

function burnUp() {
  const rows = data.burn_up;
  if (rows.length < 2) return figure("Burn-up", rows.length ? "The plan is of today: there is nothing to draw yet." : "There is no task.");
  const xs = rows.map(([each]) => Date.parse(`${each}T23:59:59Z`) / 1000);
  const [, all, done] = rows.at(-1);
  figure("Burn-up", `${done.toLocaleString("en-GB")} of ${count(all, "task")} done.`, (box) => plot(box, {
    series: [
      { value: (_, x) => (x ? day(x * 1000) : "–") },
      { label: "tasks", stroke: colour("muted"), width: 1.5, fill: colour("waiting-soft"), paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } },
      { label: "done", stroke: colour("done"), width: 2, fill: colour("done-soft"), paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } },
    ],
    scales: { y: { range: (_, least, most) => [0, Math.max(1, most * 1.05)] } },
    axes: [{}, { size: 44 }],
  }, [xs, rows.map((row) => row[1]), rows.map((row) => row[2])]));
}

// Completions a day, or a week where the plan is old.
function throughput(finished) {
  if (!finished.length) return figure("Throughput", "Nothing was completed yet.");
  const first = Math.floor(Date.parse(finished[0].done) / (24 * HOUR));
  const today = Math.floor(now / (24 * HOUR));
  const width = today - first > 84 ? 7 : 1;
  const bins = new Array(Math.floor(Math.max(0, today - first) / width) + 1).fill(0);
  for (const task of finished) bins[Math.min(bins.length - 1, Math.floor((Math.floor(Date.parse(task.done) / (24 * HOUR)) - first) / width))] += 1;
  const unit = width === 7 ? "week" : "day";
  const recent = finished.filter((task) => now - Date.parse(task.done) <= 30 * 24 * HOUR).length;
  figure("Throughput", `Completed a ${unit}; ${recent.toLocaleString("en-GB")} in the last 30 days.`, (box) => plot(box, {
    series: [
      { value: (_, x) => (x ? `${unit} of ${day(x * 1000)}` : "–") },
      { label: "completed", stroke: colour("accent"), fill: colour("accent-soft"), width: 1, paths: uPlot.paths.bars({ size: [0.8, 40] }), points: { show: false } },
    ],
    scales: {
      x: { range: (_, least, most) => [least - width * 43200, most + width * 43200] },
      y: { range: (_, least, most) => [0, Math.max(1, most * 1.1)] },
    },
    axes: [{}, { size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] }],
  }, [bins.map((_, n) => (first + n * width) * 86400), bins]));
}

function cycleTimes(measured) {
  if (!measured.length) return figure("Cycle times", "No finished task tells when work on it began.");
  const sorted = measured.map((task) => task.cycle).sort((a, b) => a - b);
  const [even, likely] = [percentile(sorted, 0.5), percentile(sorted, 0.85)];
  const positive = measured.map((task) => Math.max(task.cycle, 1 / 60));
  figure("Cycle times", `From the first work to the end: half took up to ${span(even)}, 85 of 100 up to ${span(likely)}.`, (box) => plot(box, {
    series: [
      { value: (_, x) => (x ? time(x * 1000) : "–") },
      { label: "took", stroke: colour("in_review"), paths: () => null, points: { show: true, size: 6, fill: colour("in_review-soft"), stroke: colour("in_review") }, value: (_, y) => (y ? span(y) : "–") },
      { label: "85 %", stroke: colour("path"), dash: [6, 4], width: 1, points: { show: false }, value: (_, y) => (y ? span(y) : "–") },
    ],
    scales: { y: { distr: 3 } },
    axes: [{}, { size: 58, filter: (_, splits) => splits, splits: (_, n, least, most) => HOURS.filter((each) => each >= least && each <= most), values: (_, splits) => splits.map((each) => (each === null ? "" : span(each))) }],
  }, [measured.map((task) => Date.parse(task.done) / 1000), positive, measured.map(() => likely)]));
}
