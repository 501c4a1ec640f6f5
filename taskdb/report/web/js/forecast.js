// The forecast: what simulate.js says of this plan.
const LEAST_MEASURED = 5;
const everything = Object.values(data.durations).flat().sort((a, b) => a - b);

// How a task's hours are drawn: from finished tasks of its agent type, else from all, else it is
// its planned hours.
function drawOf(task) {
  const own = data.durations[task.agent_type ?? ""] ?? [];
  const measured = own.length >= LEAST_MEASURED ? own : everything;
  if (measured.length < LEAST_MEASURED) {
    const hours = task.planned.finish - task.planned.start;
    return () => hours;
  }
  const done = task.started && task.state === "in_progress" ? Math.max(0, now - Date.parse(task.started)) / HOUR : 0;
  // What is begun takes longer than it has taken; if nothing ever did, as long as any once more.
  const longer = done ? measured.filter((hours) => hours > done) : measured;
  return longer.length
    ? (roll) => longer[Math.floor(roll() * longer.length)] - done
    : (roll) => measured[Math.floor(roll() * measured.length)];
}

function jobsOf() {
  const open = tasks.filter((task) => task.planned);
  const number = new Map(open.map((task, n) => [task, n]));
  const jobs = open.map((task) => ({
    after: [],
    needs: 0,
    running: task.status === "in_progress" || task.status === "in_review",
    draw: drawOf(task),
    // What may not slip comes first.
    rank: task.planned.start + task.planned.slack + (task.place + 1) / 1e6,
  }));
  for (const task of open)
    for (const wait of openWaits(task))
      if (number.has(wait.blocker) && !wait.dead) {
        jobs[number.get(wait.blocker)].after.push(number.get(task));
        jobs[number.get(task)].needs += 1;
      }
  return jobs;
}

const jobs = jobsOf();
const runs = Math.max(100, Math.min(1000, Math.floor(5e5 / Math.max(1, jobs.length))));
// By numbers of agents. Runs are made a few at a time, so that the page answers meanwhile.
const simulated = new Map();
const SLICE = 25;
let simulation = 0;

async function simulateAll(numbers, show) {
  const mine = (simulation += 1);
  for (const agents of numbers) {
    if (simulated.has(agents)) continue;
    const going = simulate(jobs, agents, runs);
    for (let step = going.next(); !simulated.has(agents); ) {
      for (const until = performance.now() + SLICE; !step.done && performance.now() < until; ) step = going.next();
      if (step.done) simulated.set(agents, step.value);
      else await new Promise((resume) => setTimeout(resume));
      if (mine !== simulation) return;
    }
    show();
  }
}

function drawForecast() {
  const agents = Math.max(1, Math.min(99, Math.round(Number($("agents").value)) || 1));
  $("agents-word").textContent = agents === 1 ? "agent" : "agents";
  if (!jobs.length) {
    $("forecast-body").replaceChildren(empty(own.length ? "Nothing is open: all is done." : "There is no task."));
    return;
  }
  const numbers = [...new Set([1, 2, 4, 8, 16, agents])].sort((a, b) => a - b);
  const show = () => showForecast(agents, numbers);
  if (simulated.has(agents)) show();
  simulateAll([agents, ...numbers], show);
}

function showForecast(agents, numbers) {
  const body = $("forecast-body");
  const ends = simulated.get(agents);
  const when = (share) => {
    const hours = percentile(ends, share);
    const moment = now + hours * HOUR;
    return { hours, text: hours < 48 ? time(moment) : day(moment) };
  };
  const even = when(0.5);
  const likely = when(0.85);
  const nearly = when(0.95);
  const onHold = own.filter((task) => task.state === "on_hold").length;
  const stuck = own.filter((task) => task.planned?.stuck).length;
  const basis = everything.length >= LEAST_MEASURED
    ? `From ${count(runs, "run")} over the plan; each task takes as long as one of ${count(everything.length, "finished task")} took, nights included.`
    : "No finished work was measured, so each task takes its planned hours, around the clock.";
  const assumed = [onHold && `${count(onHold, "task")} on hold ${onHold === 1 ? "is" : "are"} taken up`, stuck && `${count(stuck, "task")} that ${stuck === 1 ? "waits" : "wait"} in vain ${stuck === 1 ? "is" : "are"} freed`].filter(Boolean);
  body.replaceChildren(...[
    el("p", { className: "answer" }, el("strong", { textContent: likely.text }), el("span", { textContent: ` or earlier, in 85 of 100 runs (${span(likely.hours)} from now)` })),
    ends.at(-1) - ends[0] > 0.01 ? spread(ends, likely) : null,
    el("dl", { className: "chances" }, [["50 %", even], ["85 %", likely], ["95 %", nearly]].map(([share, each]) => el("div", {}, el("dt", { textContent: share }), el("dd", { textContent: each.text })))),
    compare(agents, numbers),
    el("p", { className: "hint", textContent: [basis, assumed.length ? `It takes for granted that ${assumed.join(", and ")}.` : ""].join(" ") })].filter(Boolean));
}

// How the runs' ends lie, as bars.
function spread(ends, likely) {
  const first = ends[0];
  const last = Math.max(percentile(ends, 0.99), first + 1e-6);
  const bins = new Array(40).fill(0);
  for (const end of ends) if (end <= last) bins[Math.min(39, Math.floor(((end - first) / (last - first)) * 40))] += 1;
  const most = Math.max(...bins);
  const bars = bins.map((number, n) => {
    const bar = el("i", { className: first + ((n + 0.5) / 40) * (last - first) <= likely.hours ? "in" : "" });
    bar.style.height = `${(number / most) * 100}%`;
    return bar;
  });
  return el("div", { className: "spread", role: "img", ariaLabel: `The runs end between ${time(now + first * HOUR)} and ${time(now + last * HOUR)}` }, bars);
}

// What more agents would change: chains of tasks set the bound.
function compare(agents, numbers) {
  const there = numbers.filter((number) => simulated.has(number));
  const longest = percentile(simulated.get(there[0]), 0.85);
  return el("table", { className: "compare" },
    el("caption", { className: "hidden", textContent: "85 of 100 runs end within, by agents" }),
    el("tbody", {}, numbers.map((number) => {
      if (!simulated.has(number)) return el("tr", {}, el("th", { scope: "row", textContent: count(number, "agent") }), el("td", { className: "wide" }), el("td", { textContent: "…" }));
      const hours = percentile(simulated.get(number), 0.85);
      const bar = el("span", { className: "meter" });
      bar.style.width = `${(hours / longest) * 100}%`;
      return el("tr", { className: number === agents ? "now" : "" },
        el("th", { scope: "row", textContent: count(number, "agent") }),
        el("td", { className: "wide" }, bar),
        el("td", { textContent: span(hours) }));
    })));
}
$("agents").addEventListener("input", drawForecast);
