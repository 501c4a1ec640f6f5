// What grew old, and what changed.
function row(task, ...more) {
  return el("li", {}, el("button", { type: "button", className: "row", onclick: (event) => openPanel(task, event.currentTarget) },
    el("span", { className: `dot s-${task.state}`, title: STATES[task.state] }),
    el("span", { className: "row-title" }, words(task.key, "key"), " ", words(task.title)),
    el("span", { className: "row-more" }, more)));
}

function drawAgeing() {
  const going = own.filter((task) => ["in_progress", "in_review"].includes(task.state)).filter(matches)
    .sort((a, b) => String(a.started ?? a.came).localeCompare(String(b.started ?? b.came)));
  const waiting = own.filter((task) => ["ready", "waiting", "held"].includes(task.state)).filter(matches)
    .sort((a, b) => a.came.localeCompare(b.came));
  $("ageing-body").replaceChildren(
    el("div", {}, el("h3", { textContent: "Begun, and not done" }),
      going.length ? el("ul", { className: "list" }, going.slice(0, 15).map((task) => row(task, agedMeter(task)))) : empty("Nothing is begun."),
      more(going, 15)),
    el("div", {}, el("h3", { textContent: "Longest in the plan" }),
      waiting.length ? el("ul", { className: "list" }, waiting.slice(0, 15).map((task) => row(task, age(task.came)))) : empty("Nothing waits."),
      more(waiting, 15)));
}

const more = (all, most) => (all.length > most ? el("p", { className: "hint", textContent: `and ${count(all.length - most, "other")}` }) : "");

// Its age, and the share of finished work that took no longer.
function agedMeter(task) {
  const since = task.started ?? task.came;
  const hours = Math.max(0, now - Date.parse(since)) / HOUR;
  if (!everything.length) return age(since);
  const share = everything.filter((each) => each <= hours).length / everything.length;
  const bar = el("span", { className: `meter${share >= 0.85 ? " old" : ""}` });
  bar.style.width = `${Math.round(share * 100)}%`;
  return [el("span", { className: "meter-box", title: `Older than ${Math.round(share * 100)} % of finished work` }, bar), age(since)];
}

const WENT = { completed: "done", failed: "failed", cancelled: "cancelled", archived: "archived", in_progress: "begun", in_review: "in review", blocked: "blocked", pending: "pending" };
const MOST_CHANGES = 60;
let changesShown = MOST_CHANGES;

function drawChanges() {
  const since = Math.max(Date.parse($("since").value) || 0, Date.parse(data.since));
  const moves = data.moves.map(([place, before, after, agent, note, at]) => ({ task: tasks[place], before, after, agent, note, at }))
    .filter((move) => Date.parse(move.at) >= since && move.before !== move.after && matches(move.task))
    // What an importer found is no change of the plan.
    .filter((move) => move.before || Math.abs(Date.parse(move.at) - Date.parse(move.task.came)) < 2000);
  const closed = new Set(["completed", "failed", "cancelled", "archived"]);
  const figures = [
    ["added", moves.filter((move) => !move.before).length],
    ["begun", moves.filter((move) => move.after === "in_progress").length],
    ["done", moves.filter((move) => move.before && move.after === "completed").length],
    ["reopened", moves.filter((move) => closed.has(move.before) && OPEN.has(move.after)).length],
    ["failed", moves.filter((move) => move.before && move.after === "failed").length],
  ];
  if (!moves.length) {
    $("changes-body").replaceChildren(empty(`Nothing changed since ${day(since)}.`));
    return;
  }
  const days = Map.groupBy ? Map.groupBy(moves.slice(0, changesShown), (move) => day(move.at)) : grouped(moves.slice(0, changesShown));
  const shown = [...days].map(([name, list]) => el("div", { className: "day" }, el("h3", { textContent: name }),
    el("ul", { className: "list" }, list.map((move) => row(move.task, change(move))))));
  $("changes-body").replaceChildren(
    el("ul", { className: "figures" }, figures.filter(([, number]) => number).map(([name, number]) => el("li", {}, el("strong", { textContent: number.toLocaleString("en-GB") }), ` ${name}`))),
    el("div", { className: "days" }, shown),
    moves.length > changesShown ? el("button", { type: "button", className: "more", textContent: `Show more of ${moves.length.toLocaleString("en-GB")}`, onclick: () => { changesShown += 200; drawChanges(); } }) : "",
    data.moves_left_out ? el("p", { className: "hint", textContent: `Only the last ${data.moves.length.toLocaleString("en-GB")} changes are here.` }) : "");
}

function grouped(moves) {
  const days = new Map();
  for (const move of moves) days.set(day(move.at), [...(days.get(day(move.at)) ?? []), move]);
  return days;
}

function change(move) {
  const what = move.before ? `${WENT[move.before]} → ${WENT[move.after]}` : "added";
  return [el("span", { textContent: what }), " ", el("span", { className: "by", title: move.note ?? "" }, words(move.agent))];
}
$("since").addEventListener("change", drawChanges);
