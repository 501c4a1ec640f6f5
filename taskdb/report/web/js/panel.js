// All about one task, beside the rest; on a phone from below.
let opener = null;

function openPanel(task, from = document.activeElement) {
  const panel = $("panel");
  if (panel.hidden) opener = from;
  panel.replaceChildren(...panelOf(task));
  panel.hidden = false;
  panel.dataset.key = task.key;
  panel.scrollTop = 0;
  $("panel-title").focus();
  showInGraph(task);
}

function closePanel() {
  const panel = $("panel");
  if (panel.hidden) return;
  panel.hidden = true;
  if (opener && opener.isConnected) opener.focus({ preventScroll: true });
  opener = null;
}

function panelOf(task) {
  const facts = [
    ["By", task.claimed_by ?? task.done_by],
    ["Lease until", task.lease && time(task.lease)],
    ["Reserved for", task.assigned],
    ["Agent type", task.agent_type],
    ["Priority", task.priority && `${task.priority} of 10`],
    ["Part of", task.parent],
    ["Feature", task.feature],
    ["Came", task.came && time(task.came)],
    ["Begun", task.started && time(task.started)],
    [task.state === "done" ? "Done" : null, task.done && time(task.done)],
    ["Took", task.cycle !== null && span(task.cycle)],
    ["Reopened", task.reopened ? count(task.reopened, "time") : null],
    ["Times", task.skewed ? "run backwards somewhere; left out of figures" : null],
    ["Planned", task.planned && `hour ${task.planned.start} to ${task.planned.finish}, slack ${task.planned.slack} h`],
  ].filter(([name, value]) => name && value);
  return [
    el("div", { className: "panel-head" },
      el("div", {}, badge(task), words(task.key, "key"),
        task.outside ? el("span", { className: "chip", textContent: "outside this report" }) : null,
        task.planned?.step ? el("span", { className: "chip path", textContent: "critical path" }) : null),
      el("button", { type: "button", className: "plain", ariaLabel: "Close", textContent: "×", onclick: closePanel })),
    el("h2", { id: "panel-title", tabIndex: -1, dir: "auto", textContent: task.title }),
    chips(task, Infinity),
    reasonsOf(task),
    task.excerpt ? el("p", { className: "excerpt", dir: "auto", textContent: task.excerpt.length >= 400 ? `${task.excerpt}…` : task.excerpt }) : null,
    el("dl", {}, facts.map(([name, value]) => [el("dt", { textContent: name }), el("dd", {}, words(String(value)))])),
    linksOf("Waits for", task.waits, (wait) => wait.blocker),
    linksOf("Holds back", task.unblocks, (wait) => wait.waiter),
  ].filter(Boolean);
}

const badge = (task) => el("span", { className: `badge s-${task.state}`, textContent: STATES[task.state] });

function chips(task, most) {
  const labels = task.labels ?? [];
  if (!labels.length) return null;
  const shown = labels.slice(0, most).map((label) => words(label, "chip"));
  if (labels.length > most) shown.push(el("span", { className: "chip", textContent: `+${labels.length - most}` }));
  return el("div", { className: "chips" }, shown);
}

function reasonsOf(task) {
  const reasons = task.blockingReasons.map((each) => each.detail);
  if (!reasons.length) return null;
  return el("ul", { className: "blocking-reasons" }, reasons.map((reason) => el("li", { dir: "auto", textContent: reason })));
}

function linksOf(title, waits, other) {
  if (!waits.length) return null;
  const rows = waits.slice(0, 200).map((wait) => {
    const task = other(wait);
    const note = wait.dead ? "in vain" : wait.satisfied ? "" : wait.type === "suggests" ? "suggested" : "";
    return el("li", {},
      el("button", { type: "button", className: `link${wait.satisfied || !OPEN.has(task.status) ? " past" : ""}`, onclick: () => openPanel(task) },
        el("span", { className: `dot s-${task.state}`, title: STATES[task.state] }),
        words(task.key, "key"), " ", words(task.title), note ? el("em", { textContent: ` ${note}` }) : null));
  });
  return el("div", {}, el("h3", { textContent: `${title} (${waits.length})` }), el("ul", { className: "links" }, rows));
}
