// The data, and what all parts of the page share. Text from the plan reaches the page through
// textContent alone.
const data = JSON.parse(document.getElementById("data").textContent);
const OPEN = new Set(["pending", "blocked", "in_progress", "in_review"]);
const GAVE_UP = new Set(["cancelled", "archived"]);
const HOUR = 3600e3;
const now = Date.parse(data.made_at);

const $ = (id) => document.getElementById(id);

// Make an element: properties by name, children in order; a text child is a text node.
function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name in made && name !== "role" && name !== "list") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

// Text of the plan, which may be written from right to left.
const words = (text, className = "") => el("bdi", { className, textContent: text });

const tasks = data.tasks.map((row, place) => {
  const task = Object.fromEntries(data.columns.map((name, n) => [name, row[n] ?? null]));
  return Object.assign(task, { place, outside: place >= data.count, waits: [], unblocks: [], blockingReasons: [] });
});
const own = tasks.slice(0, data.count);
for (const [waiter, blocker, type, satisfied, dead] of data.waits) {
  const wait = { waiter: tasks[waiter], blocker: tasks[blocker], type: data.dependency_types[type], satisfied, dead };
  tasks[waiter].waits.push(wait);
  tasks[blocker].unblocks.push(wait);
}
for (const [place, reason, detail] of data.blocking_reasons) tasks[place].blockingReasons.push({ reason, detail });
for (const [place, start, finish, slack, from, step, stuck] of data.schedule)
  tasks[place].planned = { start, finish, slack, from, step, stuck };

const openWaits = (task) => task.waits.filter((wait) => !wait.satisfied && wait.type !== "suggests");

// Where a task stands on the board, which is also its colour.
const STATES = {
  ready: "Ready",
  in_progress: "In progress",
  in_review: "In review",
  waiting: "Waiting",
  on_hold: "On hold",
  failed: "Failed",
  done: "Done",
  dropped: "Cancelled",
};
function stateOf(task) {
  if (task.status === "completed") return "done";
  if (task.status === "failed") return "failed";
  if (GAVE_UP.has(task.status)) return task.status === "archived" && task.done ? "done" : "dropped";
  if (task.status === "in_progress" || task.status === "in_review") return task.status;
  if (task.ready) return "ready";
  if (task.hold || task.blockingReasons.some((each) => each.reason !== "files")) return "on_hold";
  if (openWaits(task).length || task.outside) return "waiting";
  return task.blockingReasons.length ? "on_hold" : "waiting";
}
for (const task of tasks) task.state = stateOf(task);

function span(hours) {
  const [unit, size] = hours >= 48 ? ["d", 24] : hours >= 1 ? ["h", 1] : ["min", 1 / 60];
  const number = hours / size;
  return `${(number >= 100 ? Math.round(number) : Math.round(number * 10) / 10).toLocaleString("en-GB")} ${unit}`;
}
const age = (moment) => span(Math.max(0, now - Date.parse(moment)) / HOUR);
const dayFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const timeFormat = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const day = (moment) => dayFormat.format(typeof moment === "string" ? Date.parse(moment) : moment);
const time = (moment) => timeFormat.format(typeof moment === "string" ? Date.parse(moment) : moment);
const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en-GB")} ${number === 1 ? one : many}`;
const empty = (text) => el("p", { className: "empty", textContent: text });

// The value of one of the style's custom properties, in the present theme.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const narrow = () => window.matchMedia("(max-width: 700px)").matches;

// What runs again when the theme or the search changes.
const onTheme = [];
const onSearch = [];
let sought = [];
const matches = (task) => {
  const text = `${task.key} ${task.title} ${task.claimed_by ?? ""} ${task.agent_type ?? ""} ${(task.labels ?? []).join(" ")}`.toLowerCase();
  return sought.every((word) => text.includes(word));
};

// Run a section's drawing when it comes near the view: a page of 10,000 tasks opens at once.
const pending = new Map();
const observer = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) drawNow(entry.target);
}, { rootMargin: "600px" });
function drawNow(section) {
  const draw = pending.get(section);
  pending.delete(section);
  observer.unobserve(section);
  if (draw) draw();
}
function whenNear(id, draw) {
  pending.set($(id), draw);
  observer.observe($(id));
}

// One stop of the Tab key for a group; the arrow keys move within it.
function rove(group, selector, next) {
  group.addEventListener("keydown", (event) => {
    const from = event.target.closest(selector);
    if (!from || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = next(from, event.key);
    if (!to) return;
    event.preventDefault();
    stop(group, selector, to);
    to.focus();
    to.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
}
function stop(group, selector, to) {
  for (const each of group.querySelectorAll(`${selector}[tabindex="0"]`)) each.tabIndex = -1;
  if (to) to.tabIndex = 0;
}
