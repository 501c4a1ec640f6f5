// The schedule: a row an open task, a bar from its earliest start to its earliest finish, and its
// slack behind it. Only the rows in view are in the document.
// Room for the label of the last tick.
const AFTER = 56;
// On paper nobody scrolls: so many rows are there, and not those in view.
const paper = window.matchMedia("print");
const MOST_PRINTED = 500;
const gantt = { zoom: 1, rows: [], from: -1, to: -1, current: 0 };

function drawGantt() {
  const box = $("gantt");
  const all = tasks.filter((task) => task.planned);
  const found = all.filter((task) => (!$("only-path").checked || task.planned.step) && (!sought.length || matches(task)));
  gantt.rows = found.sort((a, b) => a.planned.start - b.planned.start
    || Number(!a.planned.step) - Number(!b.planned.step) || a.planned.finish - b.planned.finish || a.place - b.place);
  const end = Math.max(0, ...all.filter((task) => !task.outside || task.planned.step).map((task) => task.planned.finish));
  gantt.end = end || 1;
  const path = all.filter((task) => task.planned.step).length;
  $("schedule-note").textContent = all.length
    ? `${span(end)} of work at the least, with enough agents; ${count(path, "task")} on the critical path.`
    : "";
  $("schedule").classList.toggle("nothing", !all.length);
  gantt.height = narrow() ? 46 : 30;
  // As high as all rows, so that a search moves nothing below.
  box.style.setProperty("--rows", `${all.length * gantt.height + 34}px`);
  if (!gantt.rows.length) {
    box.replaceChildren(empty(all.length ? "No task is found." : "Nothing is open."));
    return;
  }
  gantt.labels = narrow() ? 0 : Math.min(380, Math.round(box.clientWidth * 0.34));
  gantt.width = Math.max(120, Math.round((box.clientWidth - gantt.labels - AFTER) * gantt.zoom));
  gantt.axis = el("div", { className: "axis" });
  gantt.body = el("div", { className: "rows", role: "list" });
  const room = paper.matches ? Math.min(gantt.rows.length, MOST_PRINTED) : gantt.rows.length;
  gantt.body.style.height = `${room * gantt.height}px`;
  gantt.inner = el("div", { className: `gantt-inner${narrow() ? " stacked" : ""}` }, gantt.axis, gantt.body);
  gantt.inner.style.width = `${gantt.labels + gantt.width + AFTER}px`;
  const before = box.scrollTop;
  box.replaceChildren(gantt.inner);
  box.scrollTop = before;
  gantt.current = Math.min(gantt.current, gantt.rows.length - 1);
  gantt.from = gantt.to = -1;
  drawAxis();
  drawRows();
}

const x = (hours) => (hours / gantt.end) * gantt.width;

function drawAxis() {
  const steps = [0.25, 0.5, 1, 2, 4, 8, 12, 24, 48, 96, 168, 336, 672, 1344, 4368, 8736, 43680, 87360];
  const step = steps.find((each) => x(each) >= 64) ?? gantt.end;
  for (let at = 0; at <= gantt.end; at += step) {
    const label = at === 0 ? "now" : step >= 24 ? `${Math.round(at / 24)} d` : `${at} h`;
    const tick = el("span", { className: "tick", textContent: label });
    const line = el("i", { className: "line" });
    tick.style.left = line.style.left = `${gantt.labels + x(at)}px`;
    gantt.axis.append(tick);
    gantt.body.append(line);
  }
}

function drawRows() {
  const box = $("gantt");
  const from = paper.matches ? 0 : Math.max(0, Math.floor(box.scrollTop / gantt.height) - 8);
  const last = paper.matches ? MOST_PRINTED : Math.ceil((box.scrollTop + box.clientHeight) / gantt.height) + 8;
  const to = Math.min(gantt.rows.length, last);
  if (from === gantt.from && to === gantt.to) return;
  const focused = document.activeElement?.closest?.(".g-row")?.dataset.row;
  gantt.from = from;
  gantt.to = to;
  for (const row of gantt.body.querySelectorAll(".g-row")) row.remove();
  for (let n = from; n < to; n += 1) gantt.body.append(ganttRow(gantt.rows[n], n));
  if (focused !== undefined) rowAt(Number(focused))?.focus({ preventScroll: true });
}

const rowAt = (n) => gantt.body.querySelector(`[data-row="${n}"]`);

function ganttRow(task, n) {
  const { start, finish, slack, step, stuck } = task.planned;
  const state = [STATES[task.state], step ? "on the critical path" : "", stuck ? "stuck" : "", task.outside ? "outside this report" : ""].filter(Boolean).join(", ");
  const bar = el("span", { className: `bar s-${task.state}${step ? " on-path" : ""}${stuck ? " stuck" : ""}` });
  const rest = el("span", { className: "slack" });
  bar.style.left = `${gantt.labels + x(start)}px`;
  bar.style.width = `${Math.max(3, x(finish) - x(start))}px`;
  rest.style.left = `${gantt.labels + x(finish)}px`;
  rest.style.width = `${Math.max(0, Math.min(x(slack), gantt.width - x(finish)))}px`;
  const label = el("span", { className: "g-label" }, words(task.key, "key"), " ", words(task.title));
  if (gantt.labels) label.style.width = `${gantt.labels - 12}px`;
  const row = el("div", {
    className: `g-row${task.outside ? " outside" : ""}`, role: "listitem",
    "data-row": n, "aria-setsize": gantt.rows.length, "aria-posinset": n + 1,
  }, el("button", {
    type: "button", className: "g-button", tabIndex: n === gantt.current ? 0 : -1,
    "aria-label": `${task.key} ${task.title}: ${state}; hour ${start} to ${finish}, slack ${slack}`,
    title: `${task.key} ${task.title}\n${state}\nhour ${start} to ${finish}, slack ${slack} h (${FROM[task.planned.from]})`,
    onclick: (event) => {
      gantt.current = n;
      openPanel(task, event.currentTarget);
    },
  }, label, rest, bar));
  row.focus = (options) => row.firstChild.focus(options);
  row.style.top = `${n * gantt.height}px`;
  row.style.height = `${gantt.height}px`;
  return row;
}
const FROM = { estimate: "its estimate", median: "the median of its agent type", default: "nothing is known of its hours: one" };

function goToRow(n) {
  const box = $("gantt");
  gantt.current = Math.max(0, Math.min(n, gantt.rows.length - 1));
  const top = gantt.current * gantt.height;
  if (top < box.scrollTop) box.scrollTop = top;
  if (top + 2 * gantt.height > box.scrollTop + box.clientHeight - 34) box.scrollTop = top + 2 * gantt.height - box.clientHeight + 34;
  drawRows();
  stop(gantt.body, ".g-button", rowAt(gantt.current)?.firstChild);
  rowAt(gantt.current)?.focus({ preventScroll: true });
}

function zoomGantt(factor) {
  gantt.zoom = factor ? Math.max(1, Math.min(64, gantt.zoom * factor)) : 1;
  drawGantt();
}

$("gantt").addEventListener("scroll", () => gantt.body && requestAnimationFrame(drawRows));
$("gantt").addEventListener("keydown", (event) => {
  const page = Math.floor($("gantt").clientHeight / gantt.height) - 2;
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
  const factor = { "+": 1.5, "-": 1 / 1.5 }[event.key];
  if (!gantt.rows.length || (!step && !factor)) return;
  event.preventDefault();
  if (factor) {
    zoomGantt(factor);
    goToRow(gantt.current);
  } else goToRow(gantt.current + step);
});
paper.addEventListener("change", () => gantt.body && drawGantt());
$("only-path").addEventListener("change", drawGantt);
$("gantt-in").addEventListener("click", () => zoomGantt(1.5));
$("gantt-out").addEventListener("click", () => zoomGantt(1 / 1.5));
$("gantt-fit").addEventListener("click", () => zoomGantt(null));
