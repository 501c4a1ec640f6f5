// Places for a graph without cycles, from left to right in layers. It is linear but for sorting:
// dagre takes 5 s for 300 tasks with 600 edges, and a plan may have 10,000.
const BOX = { width: 196, height: 58, across: 72, down: 14 };

// Return a place, {x, y}, for each of `size` nodes; edges are [from, to].
function place(size, edges, ratio = 1.6) {
  const after = Array.from({ length: size }, () => []);
  const before = Array.from({ length: size }, () => []);
  for (const [from, to] of edges) {
    after[from].push(to);
    before[to].push(from);
  }
  const layers = layersOf(size, after, before);
  const parts = partsOf(size, after, before).map((nodes) => arrange(nodes, layers, after, before));
  const single = parts.filter((part) => part.nodes.length === 1);
  const joined = parts.filter((part) => part.nodes.length > 1).sort((a, b) => b.nodes.length - a.nodes.length);
  return pack(size, [...joined, ...grid(single, ratio)], ratio);
}

// The longest way to each node; one that nothing leads to stands beside what it leads to.
function layersOf(size, after, before) {
  const layers = new Array(size).fill(0);
  const open = before.map((each) => each.length);
  const order = [];
  for (let n = 0; n < size; n += 1) if (!open[n]) order.push(n);
  for (let at = 0; at < order.length; at += 1) {
    const node = order[at];
    for (const to of after[node]) {
      layers[to] = Math.max(layers[to], layers[node] + 1);
      open[to] -= 1;
      if (!open[to]) order.push(to);
    }
  }
  for (const node of order)
    if (!before[node].length && after[node].length) layers[node] = Math.min(...after[node].map((to) => layers[to])) - 1;
  return layers;
}

function partsOf(size, after, before) {
  const seen = new Uint8Array(size);
  const parts = [];
  for (let first = 0; first < size; first += 1) {
    if (seen[first]) continue;
    const part = [first];
    seen[first] = 1;
    for (let at = 0; at < part.length; at += 1)
      for (const next of [...after[part[at]], ...before[part[at]]])
        if (!seen[next]) {
          seen[next] = 1;
          part.push(next);
        }
    parts.push(part);
  }
  return parts;
}

// Put the nodes of a part into columns: near what they are joined to, and apart from each other.
function arrange(nodes, layers, after, before) {
  const lowest = nodes.reduce((least, node) => Math.min(least, layers[node]), Infinity);
  const columns = [];
  for (const node of nodes) (columns[layers[node] - lowest] ??= []).push(node);
  sortColumns(columns, after, before);
  const split = splitColumns(columns, Math.max(16, Math.ceil(Math.sqrt(1.5 * nodes.length))));
  const at = new Map();
  const mean = (list, fallback) => (list.length ? list.reduce((sum, node) => sum + at.get(node), 0) / list.length : fallback);
  for (const column of split) column.forEach((node, n) => at.set(node, n - column.length / 2));
  for (let pass = 0; pass < 6; pass += 1)
    for (const column of pass % 2 ? [...split].reverse() : split)
      apart(column, column.map((node) => mean([...before[node], ...after[node]], at.get(node))), at);
  const number = new Map(split.flatMap((column, n) => column.map((node) => [node, n])));
  const ys = nodes.map((node) => at.get(node));
  const top = ys.reduce((least, y) => Math.min(least, y), Infinity);
  const bottom = ys.reduce((most, y) => Math.max(most, y), -Infinity);
  return {
    nodes,
    width: split.length * (BOX.width + BOX.across) - BOX.across,
    height: (bottom - top + 1) * (BOX.height + BOX.down) - BOX.down,
    x: nodes.map((node) => number.get(node) * (BOX.width + BOX.across)),
    y: ys.map((y) => (y - top) * (BOX.height + BOX.down)),
  };
}

// Bring the nodes of each column into the order of what they are joined to, so that few edges cross.
function sortColumns(columns, after, before) {
  const at = new Map();
  const number = (column) => column.forEach((node, n) => at.set(node, n - column.length / 2));
  columns.forEach(number);
  for (let sweep = 0; sweep < 8 && columns.length > 1; sweep += 1) {
    const joined = sweep % 2 ? after : before;
    for (const column of sweep % 2 ? [...columns].reverse() : columns) {
      const goal = new Map(column.map((node) => [node, joined[node].length
        ? joined[node].reduce((sum, other) => sum + at.get(other), 0) / joined[node].length
        : at.get(node)]));
      column.sort((a, b) => goal.get(a) - goal.get(b));
      number(column);
    }
  }
}

// Deal the nodes of a column that is too tall to several, beside each other.
function splitColumns(columns, tallest) {
  return columns.flatMap((column) => {
    const many = Math.ceil(column.length / tallest);
    return Array.from({ length: many }, (_, n) => column.filter((_, place) => place % many === n));
  });
}

// Give a column the places it wishes for, in order and one apart: neighbours that would overlap
// move together (pool adjacent violators).
function apart(column, wishes, at) {
  const blocks = [];
  wishes.forEach((wish, n) => {
    let block = { sum: wish - n, size: 1 };
    while (blocks.length && blocks.at(-1).sum / blocks.at(-1).size > block.sum / block.size) {
      const last = blocks.pop();
      block = { sum: last.sum + block.sum, size: last.size + block.size };
    }
    blocks.push(block);
  });
  let n = 0;
  for (const block of blocks)
    for (let each = 0; each < block.size; each += 1, n += 1) at.set(column[n], block.sum / block.size + n);
}

// What is joined to nothing stands in one block.
function grid(parts, ratio) {
  if (!parts.length) return [];
  const wide = BOX.width + 24;
  const high = BOX.height + BOX.down;
  const columns = Math.max(1, Math.ceil(Math.sqrt((parts.length * high * ratio) / wide)));
  return [{
    nodes: parts.map((part) => part.nodes[0]),
    width: Math.min(columns, parts.length) * wide,
    height: Math.ceil(parts.length / columns) * high,
    x: parts.map((_, n) => (n % columns) * wide),
    y: parts.map((_, n) => Math.floor(n / columns) * high),
  }];
}

// Put the parts on shelves of the width that shows them largest in a box of this ratio.
function pack(size, parts, ratio) {
  const widest = parts.reduce((most, part) => Math.max(most, part.width), 0);
  const square = Math.sqrt(ratio * parts.reduce((sum, part) => sum + (part.width + GAP) * (part.height + GAP), 0));
  const tries = [0.8, 1, 1.25, 1.6, 2].map((factor) => shelve(parts, Math.max(widest, square * factor)));
  const best = tries.reduce((one, other) => (scale(other, ratio) < scale(one, ratio) ? other : one));
  const places = new Array(size);
  parts.forEach((part, each) => part.nodes.forEach((node, n) => {
    const { left, top } = best.corners[each];
    places[node] = { x: left + part.x[n] + BOX.width / 2, y: top + part.y[n] + BOX.height / 2 };
  }));
  return places;
}

const GAP = 60;
const scale = ({ width, height }, ratio) => Math.max(width / ratio, height);

function shelve(parts, wide) {
  const made = { corners: [], width: 0, height: 0 };
  let left = 0;
  let top = 0;
  for (const part of parts) {
    if (left && left + part.width > wide) {
      top = made.height + GAP;
      left = 0;
    }
    made.corners.push({ left, top });
    made.width = Math.max(made.width, left + part.width);
    made.height = Math.max(made.height, top + part.height);
    left += part.width + GAP;
  }
  return made;
}
