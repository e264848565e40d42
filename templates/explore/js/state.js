// What is shown and chosen. `changed` draws all of it again.
const ALL = -1;
const first = fronts[0];
const state = {
  board: 0,
  x: figureOf.has(first.cost[0]) ? first.cost[0] : figures[0].name,
  y: "held_out",
  log: false,
  costIntervals: false,
  limits: new Map(),
  floor: null,
  selected: `0:${first.knee}`,
  hovered: null,
};

const shown = () => points.filter((p) => state.board === ALL || p.nth === state.board);
const height = (point) => (state.y === "held_out" ? heldOut(point) : searched(point));

function inside(point) {
  if (state.floor !== null && height(point) < state.floor) return false;
  for (const [name, [low, high]] of state.limits) {
    const at = value(point, name);
    if (at === null || at < low || at > high) return false;
  }
  return true;
}

// Of a board's points inside the budget, the one with most right answers on the search samples.
function best(board) {
  return points.find((point) => point.nth === board && inside(point)) || null;
}

const limited = () => state.limits.size > 0 || state.floor !== null;

function select(key) {
  state.selected = key;
  if (state.board !== ALL) state.board = pointOf.get(key).nth;
  changed();
}

// The same configuration on another board, or its knee where it is not on that front.
function showBoard(board) {
  state.board = board;
  if (board !== ALL) {
    const { id } = pointOf.get(state.selected);
    const key = `${board}:${id}`;
    state.selected = pointOf.has(key) ? key : `${board}:${fronts[board].knee}`;
  }
  state.limits.clear();
  state.floor = null;
  changed();
}

function clearBudget() {
  state.limits.clear();
  state.floor = null;
  changed();
}

// The command line of a point; words are quoted as a POSIX shell reads them.
function quoted(word) {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'"'"'`)}'`;
}

const folderName = (board) => board.replace(/^.*\//, "").replace(/[^A-Za-z0-9_-]+/g, "-");

function command(point, folder) {
  const run = folder.startsWith("-") ? `./${folder}` : folder;
  const words = ["hwflow", "pick", "--run", run, "--board", point.front.board];
  words.push("--id", String(point.id), "-o", `build/${island.stem}-${folderName(point.front.board)}-${point.id}`);
  return words.map(quoted).join(" ");
}

// The folder that the page lies in, where it was opened from a disk: a run holds its own page.
function folderOfPage() {
  if (island.run !== null) return island.run;
  try {
    if (location.protocol === "file:") {
      return decodeURIComponent(location.pathname).replace(/\/[^/]*$/, "") || "/";
    }
  } catch {
    // a path that is not text is typed by the user
  }
  return "RUN";
}
