// The head of the page, and what is drawn when.
const themes = { auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark" };

function setTheme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  $("theme").textContent = themes[name];
  $("theme").dataset.name = name;
  for (const again of onTheme) again();
}
const nextTheme = () => setTheme({ auto: "dark", dark: "light", light: "auto" }[$("theme").dataset.name]);

function drawHead() {
  $("scope").textContent = data.scope === "whole plan" ? data.workspace : `${data.workspace}: ${data.scope}`;
  $("made").textContent = `${count(own.length, "task")}, as of ${time(data.made_at)}`;
  $("footer").textContent = `Written by taskdb ${data.version} on ${time(data.made_at)}. It shows the plan of that moment.`;
}

function drawTiles() {
  const by = (state) => own.filter((task) => task.state === state).length;
  const counted = own.length - by("dropped");
  const share = counted ? by("done") / counted : 0;
  const open = own.filter((task) => OPEN.has(task.status)).length;
  const parts = ["done", "in_review", "in_progress", "ready", "waiting", "on_hold", "failed"].filter(by);
  $("progress").ariaLabel = `${Math.round(share * 100)} % done: ${parts.map((state) => `${by(state)} ${STATES[state].toLowerCase()}`).join(", ")}`;
  $("progress").replaceChildren(...parts.map((state) => {
    const bar = el("span", { className: `s-${state}`, title: `${STATES[state]}: ${by(state)}` });
    bar.style.flexGrow = by(state);
    return bar;
  }));
  const tile = (name, number, state, note = "") => el("li", { className: `tile${state ? ` s-${state}` : ""}` },
    el("strong", { textContent: number }), el("span", { textContent: name }), note ? el("small", { textContent: note }) : null);
  const last = tasks.filter((task) => task.planned && (!task.outside || task.planned.step));
  $("tiles").replaceChildren(
    tile("done", `${Math.floor(share * 100)} %`, "done", `${by("done").toLocaleString("en-GB")} of ${counted.toLocaleString("en-GB")}`),
    tile("open", open.toLocaleString("en-GB"), "", last.length ? `${span(Math.max(...last.map((task) => task.planned.finish)))} at the least` : ""),
    ...["ready", "in_progress", "in_review", "waiting", "on_hold", "failed"].filter((state) => state !== "failed" || by(state))
      .map((state) => tile(STATES[state].toLowerCase(), by(state).toLocaleString("en-GB"), state, state === "in_progress" ? agentsNote() : "")));
}

function agentsNote() {
  const agents = new Set(own.filter((task) => task.state === "in_progress" && task.claimed_by).map((task) => task.claimed_by));
  return agents.size ? `by ${count(agents.size, "agent")}` : "";
}

function search() {
  sought = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = sought.length ? own.filter(matches).length : 0;
  $("found").textContent = sought.length ? `${count(found, "task")} found` : "";
  document.body.classList.toggle("seeking", sought.length > 0);
  for (const again of onSearch) again();
}

let searchTimer = 0;
$("search").addEventListener("input", () => {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(search, 120);
});
$("search").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  search();
  const found = own.filter(matches).sort((a, b) => Number(!OPEN.has(a.status)) - Number(!OPEN.has(b.status)) || byPriority(a, b));
  if (sought.length && found.length) openPanel(found[0], $("search"));
});
$("theme").addEventListener("click", nextTheme);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const writing = event.target.matches?.("input:not([type=checkbox]), textarea");
  if (event.key === "Escape") {
    if (!$("panel").hidden) closePanel();
    else if (writing) {
      event.target.value = event.target.id === "search" ? "" : event.target.value;
      search();
      event.target.blur();
    }
  }
  if (writing) return;
  if (event.key === "/") {
    event.preventDefault();
    $("search").focus();
    $("search").select();
  } else if (event.key === "t") nextTheme();
});

// A link to a section draws it first, so that it stands where the jump ends.
for (const link of document.querySelectorAll(".sections a"))
  link.addEventListener("click", () => pending.forEach((_, section) => drawNow(section)));
const spy = new IntersectionObserver((entries) => {
  for (const entry of entries)
    if (entry.isIntersecting)
      for (const link of document.querySelectorAll(".sections a"))
        if (link.hash === `#${entry.target.id}`) {
          link.setAttribute("aria-current", "true");
          const list = link.closest("ul");
          list.scrollLeft = link.offsetLeft - list.clientWidth / 2;
        } else link.removeAttribute("aria-current");
}, { rootMargin: "-30% 0px -65% 0px" });
for (const section of document.querySelectorAll("main > section")) spy.observe(section);

let wide = window.innerWidth;
let resizeTimer = 0;
window.addEventListener("resize", () => {
  if (window.innerWidth === wide) return;
  wide = window.innerWidth;
  clearTimeout(resizeTimer);
  resizeTimer = setTimeout(() => {
    if (!pending.has($("schedule"))) drawGantt();
    if (!pending.has($("flow"))) drawCharts();
    fitGraph();
  }, 150);
});
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => onTheme.forEach((again) => again()));
window.addEventListener("beforeprint", () => pending.forEach((_, section) => drawNow(section)));

setTheme("auto");
drawHead();
drawTiles();
drawBoard();
$("agents").value = Math.max(1, new Set(own.filter((task) => task.state === "in_progress").map((task) => task.claimed_by)).size);
$("since").value = data.since.slice(0, 10);
$("since").min = data.since.slice(0, 10);
$("since").max = data.made_at.slice(0, 10);
whenNear("schedule", drawGantt);
whenNear("graph", () => drawGraph());
whenNear("flow", drawCharts);
whenNear("ageing", drawAgeing);
whenNear("changes", drawChanges);
onSearch.push(drawBoard,
  () => pending.has($("schedule")) || drawGantt(), searchGraph,
  () => pending.has($("ageing")) || drawAgeing(), () => pending.has($("changes")) || drawChanges());
onTheme.push(() => cy?.style(graphStyle()), () => pending.has($("flow")) || drawCharts());
requestAnimationFrame(() => setTimeout(() => {
  performance.mark("interactive");
  drawForecast();
}, 0));
