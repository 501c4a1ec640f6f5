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
  const waiting = own.filter((task) => ["ready", "waiting", "on_hold"].includes(task.state)).filter(matches)
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
  const reported = data.transitions.map(([place, before, after, agent, note, at]) => ({ task: tasks[place], before, after, agent, note, at }));
  // A task came when it was made; that an importer found it later is no change of the plan.
  const made = new Map(reported.filter((each) => !each.before && Math.abs(Date.parse(each.at) - Date.parse(each.task.came)) < 2000).map((each) => [each.task, each]));
  const came = own.map((task) => made.get(task) ?? { task, before: null, after: "pending", agent: null, note: null, at: task.came });
  const transitions = [...reported.filter((each) => each.before && each.before !== each.after), ...came]
    .filter((transition) => Date.parse(transition.at) >= since && matches(transition.task))
    .sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
  const closed = new Set(["completed", "failed", "cancelled", "archived"]);
  const figures = [
    ["added", transitions.filter((transition) => !transition.before).length],
    ["begun", transitions.filter((transition) => transition.after === "in_progress").length],
    ["done", transitions.filter((transition) => transition.before && transition.after === "completed").length],
    ["reopened", transitions.filter((transition) => closed.has(transition.before) && OPEN.has(transition.after)).length],
    ["failed", transitions.filter((transition) => transition.before && transition.after === "failed").length],
  ];
  if (!transitions.length) {
    $("changes-body").replaceChildren(empty(`Nothing changed since ${day(since)}.`));
    return;
  }
  const days = Map.groupBy ? Map.groupBy(transitions.slice(0, changesShown), (transition) => day(transition.at)) : grouped(transitions.slice(0, changesShown));
  const shown = [...days].map(([name, list]) => el("div", { className: "day" }, el("h3", { textContent: name }),
    el("ul", { className: "list" }, list.map((transition) => row(transition.task, change(transition))))));
  $("changes-body").replaceChildren(
    el("ul", { className: "figures" }, figures.filter(([, number]) => number).map(([name, number]) => el("li", {}, el("strong", { textContent: number.toLocaleString("en-GB") }), ` ${name}`))),
    el("div", { className: "days" }, shown),
    transitions.length > changesShown ? el("button", { type: "button", className: "more", textContent: `Show more of ${transitions.length.toLocaleString("en-GB")}`, onclick: () => { changesShown += 200; drawChanges(); } }) : "",
    data.transitions_left_out ? el("p", { className: "hint", textContent: `Only the last ${data.transitions.length.toLocaleString("en-GB")} changes are here.` }) : "");
}

function grouped(transitions) {
  const days = new Map();
  for (const transition of transitions) days.set(day(transition.at), [...(days.get(day(transition.at)) ?? []), transition]);
  return days;
}

function change(transition) {
  const what = transition.before ? `${WENT[transition.before]} → ${WENT[transition.after]}` : "added";
  return [el("span", { textContent: what }), " ", el("span", { className: "by", title: transition.note ?? "" }, words(transition.agent ?? ""))];
}
$("since").addEventListener("change", drawChanges);
