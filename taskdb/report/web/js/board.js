// The board: a column a state, cards by priority. A column shows a page of cards at a time.
const PAGE = 30;
const COLUMNS = ["ready", "in_progress", "in_review", "waiting", "on_hold", "failed", "done"];
const NOTHING = {
  ready: "Nothing can be claimed now.",
  in_progress: "Nobody is at work.",
  in_review: "Nothing is under review.",
  waiting: "Nothing waits for other tasks.",
  on_hold: "Nothing is on hold.",
  done: "Nothing is done yet.",
};
const shownCards = {};

function drawBoard() {
  const board = $("columns");
  const folded = new Map([...board.querySelectorAll("details")].map((each) => [each.dataset.state, each.open]));
  board.replaceChildren(...COLUMNS.map((state) => column(state, folded)).filter(Boolean));
  stop(board, ".card", board.querySelector("details[open] .card"));
}

function column(state, folded) {
  const all = own.filter((task) => task.state === state);
  if (!all.length && !NOTHING[state]) return null;
  const found = all.filter(matches).sort(ORDER[state] ?? byPriority);
  const most = shownCards[state] ?? PAGE;
  const cards = found.slice(0, most).map((task) => el("li", {}, card(task)));
  const rest = found.length - most;
  const number = sought.length ? `${found.length} of ${all.length}` : all.length.toLocaleString("en-GB");
  const more = rest > 0 && el("button", {
    type: "button", className: "more", textContent: `Show ${Math.min(rest, PAGE)} more of ${rest.toLocaleString("en-GB")}`,
    onclick: () => {
      shownCards[state] = most + PAGE;
      drawBoard();
      const cards = $("columns").querySelectorAll(`[data-state="${state}"] .card`);
      cards[most]?.focus();
    },
  });
  const open = folded.get(state) ?? (!narrow() || (all.length > 0 && ["ready", "in_progress"].includes(state)));
  return el("details", { className: `column s-${state}`, open, "data-state": state },
    el("summary", {}, el("h3", { textContent: STATES[state] }), el("span", { className: "count", textContent: number })),
    cards.length
      ? el("ul", { className: "cards" }, cards, more ? el("li", {}, more) : null)
      : empty(sought.length && all.length ? "None of them is found." : NOTHING[state]));
}

const byPriority = (a, b) => a.priority - b.priority || a.place - b.place;
const latest = (a, b) => String(b.done ?? "").localeCompare(String(a.done ?? ""));
const oldest = (a, b) => String(a.started ?? a.came).localeCompare(String(b.started ?? b.came));
const ORDER = { done: latest, in_progress: oldest, in_review: oldest };

function card(task) {
  return el("button", { type: "button", className: `card s-${task.state}`, tabIndex: -1, "data-place": task.place, onclick: (event) => openPanel(task, event.currentTarget) },
    el("span", { className: "card-top" }, words(task.key, "key"),
      task.planned?.step ? el("span", { className: "chip path", title: "On the critical path", textContent: "critical" }) : null,
      task.priority <= 3 && task.state !== "done" ? el("span", { className: "chip urgent", title: `Priority ${task.priority} of 10`, textContent: `P${task.priority}` }) : null),
    el("span", { className: "title", dir: "auto", textContent: task.title }),
    why(task),
    chips(task, 2));
}

// The one line of a card that says who, or why not.
function why(task) {
  const line = (...parts) => el("span", { className: "why" }, parts);
  switch (task.state) {
    case "in_progress": {
      const lapsed = task.lease && Date.parse(task.lease) < now;
      return line(words(task.claimed_by ?? "started by hand", "who"), task.started ? ` · ${age(task.started)}` : "",
        lapsed ? el("em", { textContent: " · lease lapsed" }) : null);
    }
    case "in_review":
      return line(task.started ? `begun ${age(task.started)} ago` : "under review");
    case "waiting": {
      const blockers = openWaits(task);
      if (!blockers.length) return line("waits");
      const [first] = blockers;
      return line(first.dead ? "in vain for " : "for ", words(first.blocker.key, "key"),
        blockers.length > 1 ? ` and ${blockers.length - 1} more` : "");
    }
    case "on_hold":
      return line(words(task.hold ?? task.blockingReasons[0]?.detail ?? "on hold"));
    case "done":
      return line(task.done_by ? words(task.done_by, "who") : "", task.done ? `${task.done_by ? " · " : ""}${day(task.done)}` : "");
    case "ready":
      return line(task.agent_type ? words(`for ${task.agent_type}`) : "", task.unblocks.some((wait) => !wait.satisfied)
        ? `${task.agent_type ? " · " : ""}holds back ${task.unblocks.filter((wait) => !wait.satisfied).length}` : "");
    default:
      return null;
  }
}

rove($("columns"), ".card", (from, key) => {
  const column = from.closest(".column");
  const cards = [...column.querySelectorAll(".card")];
  const at = cards.indexOf(from);
  if (key === "ArrowDown") return cards[at + 1];
  if (key === "ArrowUp") return cards[at - 1];
  if (key === "Home") return cards[0];
  if (key === "End") return cards.at(-1);
  const filled = [...$("columns").querySelectorAll("details[open]")].filter((each) => each.querySelector(".card"));
  const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
  const beside = step && filled[filled.indexOf(column) + step];
  const there = beside ? [...beside.querySelectorAll(".card")] : [];
  return there[Math.min(at, there.length - 1)];
});
