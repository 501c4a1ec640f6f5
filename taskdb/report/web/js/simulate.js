// When all may be done: the plan worked off many times over, each task taking as long as some
// finished task took. The same plan gives the same answer: the dice are seeded.

// A generator of numbers from 0 to 1 (mulberry32).
function dice(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// Numbers with keys, the least key first; at most `size` of them at a time.
class Heap {
  constructor(size) {
    this.keys = new Float64Array(size);
    this.numbers = new Int32Array(size);
    this.size = 0;
  }

  push(key, number) {
    const { keys, numbers } = this;
    let at = this.size++;
    for (let up = (at - 1) >> 1; at > 0 && key < keys[up]; at = up, up = (at - 1) >> 1) {
      keys[at] = keys[up];
      numbers[at] = numbers[up];
    }
    keys[at] = key;
    numbers[at] = number;
  }

  get key() {
    return this.keys[0];
  }

  pop() {
    const { keys, numbers } = this;
    const first = numbers[0];
    const size = --this.size;
    const key = keys[size];
    let at = 0;
    for (let down = 1; down < size; down = 2 * at + 1) {
      if (down + 1 < size && keys[down + 1] < keys[down]) down += 1;
      if (keys[down] >= key) break;
      keys[at] = keys[down];
      numbers[at] = numbers[down];
      at = down;
    }
    keys[at] = key;
    numbers[at] = numbers[size];
    return first;
  }
}

// More than any rank: so much earlier is what is begun.
const BEGUN = 1e9;

// Return the hours until all `jobs` are done by `agents` agents. A job has `after`, the numbers
// of those that wait for it; `needs`, how many it waits for; `running`, if it is begun; `draw`,
// which gives its hours; and its `rank`: of several that are ready the least is begun first.
function runOnce(jobs, agents, roll) {
  const open = Int32Array.from(jobs, (job) => job.needs);
  const ready = new Heap(jobs.length);
  const going = new Heap(jobs.length);
  let clock = 0;
  for (let n = 0; n < jobs.length; n += 1)
    // What is begun goes on first, as far as there are agents for it.
    if (jobs[n].running) ready.push(jobs[n].rank - BEGUN, n);
    else if (!open[n]) ready.push(jobs[n].rank, n);
  for (;;) {
    while (going.size < agents && ready.size) {
      const n = ready.pop();
      going.push(clock + jobs[n].draw(roll), n);
    }
    if (!going.size) return clock;
    clock = going.key;
    for (const next of jobs[going.pop()].after) {
      open[next] -= 1;
      if (!open[next] && !jobs[next].running) ready.push(jobs[next].rank, next);
    }
  }
}

// Yield after each of `runs` runs; return their sorted hours.
function* simulate(jobs, agents, runs, seed = 1) {
  const roll = dice(seed);
  const ends = new Float64Array(runs);
  for (let run = 0; run < runs; run += 1) {
    ends[run] = runOnce(jobs, agents, roll);
    yield;
  }
  return ends.sort();
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
