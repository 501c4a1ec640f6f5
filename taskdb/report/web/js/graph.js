// The graph of open work: who waits for whom. Cytoscape.js draws it; layout.js says where.
let cy = null;
let foundAt = -1;
// Whether it shows all open tasks: Cytoscape takes seconds for each thousand, and nobody reads them.
let isWhole = true;
const MOST = 1500;
// What it shows: places, and whether anything is joined to them.
let drawn = [];
const STEP = 80;
const READABLE = 0.7;
const margin = () => (narrow() ? 16 : 34);

// Open tasks, those outside that they wait for, and what they wait for in vain.
const inGraph = (task) => (OPEN.has(task.status) && !task.outside) || task.unblocks.some((wait) => !wait.satisfied);

// Return what is drawn of `all`: these tasks and what leads to them or from them, else the
// critical path and what is joined, the earliest first.
function chosenOf(all, these) {
  if (all.length <= MOST) return all;
  const chosen = new Set(these.length ? these : [...all].sort(byWeight).slice(0, MOST));
  for (const task of chosen) {
    if (chosen.size >= MOST || !these.length) break;
    for (const wait of [...task.waits, ...task.unblocks])
      if (!wait.satisfied && chosen.size < MOST) chosen.add(wait.waiter === task ? wait.blocker : wait.waiter);
  }
  return all.filter((task) => chosen.has(task)).slice(0, MOST);
}
const joinedTo = (task) => [...task.waits, ...task.unblocks].filter((wait) => !wait.satisfied).length;
const byWeight = (a, b) => Number(!a.planned?.step) - Number(!b.planned?.step) || Number(!joinedTo(a)) - Number(!joinedTo(b))
  || (a.planned?.start ?? 0) - (b.planned?.start ?? 0) || a.place - b.place;

// Draw the graph, or of one that is too large these tasks and what is around them.
function drawGraph(these = []) {
  cy?.destroy();
  cy = null;
  const all = tasks.filter(inGraph);
  const nodes = chosenOf(all, these);
  isWhole = nodes.length === all.length;
  const number = new Map(nodes.map((task, n) => [task, n]));
  const edges = nodes.flatMap((task) => task.waits.filter((wait) => !wait.satisfied && number.has(wait.blocker)));
  const shown = `${count(nodes.length, "task")}, ${count(edges.length, "dependency", "dependencies")}`;
  $("graph-note").textContent = isWhole ? `${shown}.` : `${shown} of ${count(all.length, "task")}: what is joined and comes first. A search draws what it finds.`;
  drawLegend(nodes);
  $("graph").classList.toggle("nothing", !nodes.length);
  if (!nodes.length) {
    $("cy").replaceChildren(empty("Nothing is open: there is no graph to draw."));
    return;
  }
  const box = $("cy");
  const places = place(nodes.length, edges.map((wait) => [number.get(wait.blocker), number.get(wait.waiter)]), box.clientWidth / box.clientHeight);
  const joined = new Set(edges.flatMap((wait) => [number.get(wait.blocker), number.get(wait.waiter)]));
  drawn = places.map((place, n) => ({ place, joined: joined.has(n) }));
  cy = cytoscape({
    container: box,
    elements: {
      nodes: nodes.map((task, n) => ({
        data: { id: String(task.place), label: label(task), state: task.state, task },
        position: places[n],
        classes: [task.outside ? "outside" : "", task.planned?.step ? "on-path" : ""].join(" "),
      })),
      edges: edges.map((wait, n) => ({
        data: { id: `e${n}`, source: String(wait.blocker.place), target: String(wait.waiter.place) },
        classes: [wait.type === "suggests" ? "suggested" : "", wait.dead ? "dead" : "", onPath(wait) ? "on-path" : ""].join(" "),
      })),
    },
    layout: { name: "preset", fit: false },
    style: graphStyle(),
    minZoom: 0.02,
    maxZoom: 3,
    autoungrabify: true,
    boxSelectionEnabled: false,
    hideEdgesOnViewport: edges.length > 2000,
  });
  cy.on("tap", "node", (event) => openPanel(event.target.data("task"), box));
  cy.on("mouseover", "node", (event) => (box.title = `${event.target.data("task").key} ${event.target.data("task").title}`));
  cy.on("mouseout", "node", () => (box.title = ""));
  openGraph();
  fadeOthers();
}

const onPath = (wait) => wait.blocker.planned?.step && wait.waiter.planned?.step === wait.blocker.planned.step + 1;

// Letters as they are seen, and their widths: a face of emoji is one, and a w as wide as three i.
const FONT = { size: 11, family: "system-ui, sans-serif" };
const LINE = BOX.width - 16;
const pen = document.createElement("canvas").getContext("2d");
pen.font = `${FONT.size}px ${FONT.family}`;
const segmenter = new Intl.Segmenter();
const lettersOf = (text) => Array.from(segmenter.segment(text), (each) => each.segment);
const widths = new Map();
function widthOf(letter) {
  if (!widths.has(letter)) widths.set(letter, pen.measureText(letter).width);
  return widths.get(letter);
}

// The beginning of a text that is no wider than this.
function fitted(text, most) {
  let width = 0;
  let shown = "";
  for (const letter of lettersOf(text)) {
    width += widthOf(letter);
    if (width > most) return `${shown}…`;
    shown += letter;
  }
  return shown;
}

// What fits of a title into two lines, broken between words where that can be.
function twoLines(title) {
  const letters = lettersOf(title);
  let width = 0;
  let space = 0;
  let end = 0;
  for (; end < letters.length; end += 1) {
    width += widthOf(letters[end]);
    if (width > LINE) break;
    if (letters[end] === " ") space = end;
  }
  if (end === letters.length) return title;
  const first = letters.slice(0, space || end).join("");
  const rest = letters.slice(space || end).join("").trimStart();
  return `${first}\n${fitted(rest, LINE - FONT.size)}`;
}
const label = (task) => `${fitted(task.key, LINE - FONT.size)}\n${twoLines(task.title)}`;

function graphStyle() {
  const states = Object.keys(STATES).map((state) => ({
    selector: `node[state = "${state}"]`,
    style: { "background-color": colour(`${state}-soft`), "border-color": colour(state) },
  }));
  return [
    {
      selector: "node",
      style: {
        shape: "round-rectangle", width: BOX.width, height: BOX.height, label: "data(label)",
        "font-family": FONT.family, "font-size": FONT.size, "min-zoomed-font-size": 6, color: colour("ink"),
        "text-valign": "center", "text-halign": "center", "text-wrap": "wrap", "text-max-width": BOX.width, "line-height": 1.25,
        "border-width": 1.5,
      },
    },
    ...states,
    {
      selector: "edge",
      style: {
        width: 1.4, "line-color": colour("edge"), "target-arrow-color": colour("edge"), "target-arrow-shape": "triangle", "arrow-scale": 0.8,
        "curve-style": "straight", "source-endpoint": "90deg", "target-endpoint": "270deg",
      },
    },
    { selector: "edge.suggested", style: { "line-style": "dashed" } },
    { selector: "edge.dead", style: { "line-color": colour("failed"), "target-arrow-color": colour("failed"), "line-style": "dotted" } },
    { selector: "node.on-path", style: { "border-width": 3, "border-color": colour("path") } },
    { selector: "edge.on-path", style: { width: 3, "line-color": colour("path"), "target-arrow-color": colour("path") } },
    { selector: "node.outside", style: { "border-style": "dashed" } },
    { selector: ".faded", style: { opacity: 0.15 } },
    { selector: "node.shown", style: { "border-width": 4, "border-color": colour("accent"), opacity: 1 } },
    { selector: "node:active, edge:active", style: { "overlay-opacity": 0 } },
  ];
}

function drawLegend(nodes) {
  const there = Object.keys(STATES).filter((state) => nodes.some((task) => task.state === state));
  $("legend").replaceChildren(
    ...there.map((state) => el("li", {}, el("span", { className: `dot s-${state}` }), STATES[state])),
    ...(nodes.some((task) => task.planned?.step) ? [el("li", {}, el("span", { className: "dot path" }), "Critical path")] : []));
}

// Show places in the middle, at most as large as the rest of the page. Cytoscape would measure
// each box and label first: seconds, for 10,000 tasks.
function showPlaces(places, least = 0) {
  const bound = (axis, pick) => places.reduce((most, each) => pick(most, each[axis]), places[0][axis]);
  const [left, top] = [bound("x", Math.min) - BOX.width / 2, bound("y", Math.min) - BOX.height / 2];
  const [wide, high] = [bound("x", Math.max) + BOX.width / 2 - left, bound("y", Math.max) + BOX.height / 2 - top];
  const zoom = Math.min(1.1, (cy.width() - 2 * margin()) / wide, (cy.height() - 2 * margin()) / high);
  if (zoom < least) return false;
  cy.viewport({ zoom, pan: { x: (cy.width() - wide * zoom) / 2 - left * zoom, y: (cy.height() - high * zoom) / 2 - top * zoom } });
  return true;
}

function fitGraph() {
  if (cy) showPlaces(drawn.map(({ place }) => place));
}

// Begin with the whole, or where work is joined, if that can be read then; else with its corner.
function openGraph() {
  const joined = drawn.filter((each) => each.joined).map(({ place }) => place);
  if (showPlaces(drawn.map(({ place }) => place), READABLE)) return;
  if (joined.length && showPlaces(joined, READABLE)) cy.panBy({ x: 0, y: margin() - (joined.reduce((least, { y }) => Math.min(least, y), Infinity) - BOX.height / 2) * cy.zoom() - cy.pan().y });
  else cy.viewport({ zoom: READABLE, pan: { x: margin(), y: margin() } });
}

function zoomGraph(factor) {
  cy?.zoom({ level: cy.zoom() * factor, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } });
}

// Fade what the search does not find.
function searchGraph() {
  if (!cy || pending.has($("graph"))) return;
  if (!isWhole) {
    const found = sought.length ? tasks.filter((task) => inGraph(task) && matches(task)) : [];
    if (found.length || !sought.length) drawGraph(found);
    else fadeOthers();
  } else fadeOthers();
}

function fadeOthers() {
  foundAt = -1;
  cy.batch(() => {
    cy.elements().removeClass("faded");
    if (!sought.length) return;
    const found = cy.nodes().filter((node) => matches(node.data("task")));
    cy.elements().difference(found).addClass("faded");
  });
}

function nextFound() {
  const found = cy?.nodes().filter((node) => !node.hasClass("faded")) ?? [];
  if (!found.length) return;
  foundAt = (foundAt + 1) % found.length;
  openPanel(found[foundAt].data("task"), $("cy"));
}

// Bring a task of the graph into its middle, large enough to read, and mark it.
function showInGraph(task) {
  if (!cy) return;
  cy.nodes(".shown").removeClass("shown");
  let node = cy.getElementById(String(task.place));
  if (!node.length && !isWhole && inGraph(task)) {
    drawGraph([task]);
    node = cy.getElementById(String(task.place));
  }
  if (!node.length) return;
  node.addClass("shown");
  const seen = cy.extent();
  const { x, y } = node.position();
  if (cy.zoom() < 0.6 || x < seen.x1 || x > seen.x2 || y < seen.y1 || y > seen.y2) {
    cy.zoom(Math.max(cy.zoom(), 0.8));
    cy.center(node);
  }
}

$("cy").addEventListener("keydown", (event) => {
  if (!cy || event.ctrlKey || event.metaKey || event.altKey) return;
  const pan = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] }[event.key];
  const does = { "+": () => zoomGraph(1.3), "=": () => zoomGraph(1.3), "-": () => zoomGraph(1 / 1.3), 0: fitGraph, n: nextFound }[event.key];
  if (!pan && !does) return;
  event.preventDefault();
  if (pan) cy.panBy({ x: pan[0], y: pan[1] });
  else does();
});
$("graph-in").addEventListener("click", () => zoomGraph(1.3));
$("graph-out").addEventListener("click", () => zoomGraph(1 / 1.3));
$("graph-fit").addEventListener("click", fitGraph);
