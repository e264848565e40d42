// The picture of the front. Points are kept between drawings, so that focus stays where it is.
const box = document.getElementById("chart");
const tip = document.getElementById("tip");
const svg = drawn("svg", { class: "chart", role: "group", "aria-labelledby": "chart-title" });
const layers = Object.fromEntries(
  ["grid", "band", "lines", "intervals", "points", "labels"].map((name) => [name, drawn("g", { class: `layer-${name}` })])
);
for (const name of ["grid", "band", "lines", "intervals", "labels"]) {
  layers[name].setAttribute("aria-hidden", "true");
}
svg.append(...Object.values(layers));
box.prepend(svg);

const marks = new Map();
for (const point of points) {
  const mark = drawn("g", { class: "point", role: "button", tabindex: "-1", "data-key": point.key },
    drawn("circle", { class: "reach", r: 12 }), drawn("circle", { class: "halo", r: 10 }), drawn("path", {}));
  marks.set(point.key, mark);
  layers.points.append(mark);
}

const SHAPES = [
  "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0Z", "M-4.6,-4.6H4.6V4.6H-4.6Z", "M0,-5.8L5.6,4.4H-5.6Z", "M0,-6.4L6.4,0L0,6.4L-6.4,0Z",
];
const DENSE = 150; // points above which marks are smaller
let frame = { x: null, y: null, width: 0, tall: 0 };
const MARGIN = { left: 50, right: 18, top: 30, bottom: 48 };

function draw() {
  const width = Math.max(280, box.clientWidth);
  const tall = Math.round(Math.min(540, Math.max(300, width * 0.58)));
  svg.setAttribute("viewBox", `0 0 ${width} ${tall}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", tall);
  frame = {
    width, tall,
    x: xScale(MARGIN.left + 6, width - MARGIN.right - 6),
    y: yScale(tall - MARGIN.bottom, MARGIN.top),
  };
  drawGrid();
  drawBand();
  drawLines();
  drawIntervals();
  drawPoints();
  drawLabels();
}

const placed = (point) => {
  const at = value(point, state.x);
  return at === null ? null : [frame.x(at), frame.y(height(point))];
};
const straight = (x1, y1, x2, y2, name) => drawn("line", { x1, y1, x2, y2, class: name });
const written = (x, y, content, name) => drawn("text", { x, y, class: name }, content);

function drawGrid() {
  const { x, y, width, tall } = frame;
  const base = tall - MARGIN.bottom;
  const made = [];
  for (const tick of y.ticks) {
    made.push(straight(MARGIN.left, y(tick), width - MARGIN.right, y(tick), "grid"));
    made.push(written(MARGIN.left - 8, y(tick) + 4, tickText(tick, y.ticks), "tick end"));
  }
  let last = -Infinity;
  for (const tick of x.ticks) {
    const text = tickText(tick, x.ticks);
    if (x(tick) - last < 9 * text.length + 8) continue;
    last = x(tick);
    made.push(straight(last, base, last, base + 5, "axis"), written(last, base + 19, text, "tick middle"));
  }
  made.push(straight(MARGIN.left, base, width - MARGIN.right, base, "axis"));
  const figure = figureOf.get(state.x);
  made.push(written((MARGIN.left + width - MARGIN.right) / 2, tall - 8, figure.axis, "axis-name middle"));
  made.push(written(4, 14, `${kind} %, ${state.y === "held_out" ? "held out" : "on the search samples"}`, "axis-name"));
  layers.grid.replaceChildren(...made, ...drawLimit());
}

// Where the board ends, if that is within the picture.
function drawLimit() {
  if (state.board === ALL && state.x !== "share") return [];
  const available = state.x === "share" ? 100 : fronts[Math.max(0, state.board)].available[state.x];
  const { x, tall } = frame;
  if (!available || available < x.low || available > x.high) return [];
  const at = x(available);
  const name = at > frame.width - 130 ? "limit-name end" : "limit-name";
  const dx = at > frame.width - 130 ? -6 : 6;
  return [
    straight(at, MARGIN.top, at, tall - MARGIN.bottom, "limit"),
    written(at + dx, tall - MARGIN.bottom - 8, "all of the board", name),
  ];
}

function drawBand() {
  const limits = state.limits.get(state.x);
  const made = [];
  const { x, y, width, tall } = frame;
  if (limits) {
    const clipped = (at) => Math.min(width - MARGIN.right, Math.max(MARGIN.left, at));
    const from = limits[0] > -Infinity ? clipped(x(limits[0])) : MARGIN.left;
    const to = limits[1] < Infinity ? clipped(x(limits[1])) : width - MARGIN.right;
    made.push(drawn("rect", { x: from, y: MARGIN.top, width: Math.max(1, to - from), height: tall - MARGIN.bottom - MARGIN.top, class: "brush" }));
  }
  if (state.floor !== null && state.floor >= y.low && state.floor <= y.high) {
    made.push(straight(MARGIN.left, y(state.floor), width - MARGIN.right, y(state.floor), "floor"));
  }
  layers.band.replaceChildren(...made);
}

// The best on the search samples that a budget buys, as a staircase for each board.
function drawLines() {
  const made = [];
  const { x, y, width } = frame;
  fronts.forEach((front, board) => {
    if (state.board !== ALL && state.board !== board) return;
    const sorted = points.filter((p) => p.nth === board && value(p, state.x) !== null)
      .sort((a, b) => value(a, state.x) - value(b, state.x) || searched(b) - searched(a));
    let path = "";
    let top = -Infinity;
    for (const point of sorted) {
      if (searched(point) <= top) continue;
      const at = x(value(point, state.x)).toFixed(1);
      top = searched(point);
      path += path ? `H${at}V${y(top).toFixed(1)}` : `M${at},${y(top).toFixed(1)}`;
    }
    if (path) made.push(drawn("path", { d: `${path}H${width - MARGIN.right}`, class: `stairs board-${board % 6}` }));
  });
  const chosen = pointOf.get(state.selected);
  const like = chosen.like === null ? null : pointOf.get(`${chosen.nth}:${chosen.like}`);
  if (like && placed(chosen) && placed(like) && marks.get(chosen.key).style.display !== "none") {
    const [x1, y1] = placed(chosen);
    const [x2, y2] = placed(like);
    made.push(straight(x1, y1, x2, y2, "like"));
  }
  layers.lines.replaceChildren(...made);
}

function drawIntervals() {
  const made = [];
  const { x, y } = frame;
  for (const point of shown()) {
    const spot = placed(point);
    if (!spot) continue;
    const name = `interval board-${point.nth % 6}${inside(point) ? "" : " out"}${strong(point) ? " strong" : ""}`;
    if (state.y === "held_out") {
      const [low, high] = heldOutEnds(point);
      made.push(straight(spot[0], y(low), spot[0], y(high), name));
    }
    if (state.costIntervals) {
      const [, low, high] = ends(point, state.x);
      made.push(straight(x(low), spot[1], x(high), spot[1], name));
    }
  }
  layers.intervals.replaceChildren(...made);
}

const strong = (point) => point.key === state.selected || point.key === state.hovered;

function drawPoints() {
  const visible = new Set(shown().map((point) => point.key));
  const reachable = shown().filter(placed);
  const tabbed = reachable.some((p) => p.key === state.selected) ? state.selected : (reachable[0] || {}).key;
  layers.points.classList.toggle("dense", reachable.length > DENSE);
  for (const point of points) {
    const mark = marks.get(point.key);
    const spot = visible.has(point.key) ? placed(point) : null;
    mark.style.display = spot ? "" : "none";
    mark.setAttribute("aria-pressed", String(point.key === state.selected));
    if (!spot) continue;
    const knee = point.id === point.front.knee;
    const names = ["point", `board-${point.nth % 6}`, point.like === null ? "" : "alike", knee ? "knee" : "",
      point.key === state.selected ? "chosen" : "", inside(point) ? "" : "out"];
    mark.setAttribute("class", names.filter(Boolean).join(" "));
    mark.setAttribute("transform", `translate(${spot[0].toFixed(1)},${spot[1].toFixed(1)})`);
    mark.setAttribute("tabindex", point.key === tabbed ? "0" : "-1");
    mark.setAttribute("aria-label", printable(spoken(point)));
    mark.lastChild.setAttribute("d", SHAPES[state.board === ALL ? point.nth % SHAPES.length : 0]);
  }
}

function spoken(point) {
  const parts = [`Point ${point.id} on ${point.front.board}`];
  if (point.id === point.front.knee) parts.push("knee");
  parts.push(`${kind} ${accuracyWithEnds(point)} held out`);
  parts.push(`${figureOf.get(state.x).label} ${amountWithEnds(point, state.x)}`);
  if (point.like !== null) parts.push(`not told from ${point.like}`);
  if (!inside(point)) parts.push("outside the budget");
  return parts.join(", ");
}

function drawLabels() {
  const made = [];
  for (const front of fronts) {
    const knee = points.find((p) => p.front === front && p.id === front.knee);
    const spot = knee && (state.board === ALL || state.board === knee.nth) ? placed(knee) : null;
    if (!spot) continue;
    const [low] = state.y === "held_out" ? heldOutEnds(knee) : [height(knee)];
    const below = frame.y(low) + 18;
    const fits = below < frame.tall - MARGIN.bottom - 4;
    made.push(written(spot[0], fits ? below : spot[1] - 16, "knee", `knee-name middle board-${knee.nth % 6}`));
  }
  layers.labels.replaceChildren(...made);
}

function showTip(key) {
  state.hovered = key;
  const point = key && pointOf.get(key);
  const spot = point && placed(point);
  tip.hidden = !spot;
  drawIntervals();
  if (!spot) return;
  const title = `${point.id}${point.id === point.front.knee ? ", knee" : ""}`;
  const rows = [["held out", accuracyWithEnds(point)], ["searched", percent(searched(point))]];
  for (const name of new Set([state.x, "share", "lut_synth"])) {
    if (figureOf.has(name)) rows.push([figureOf.get(name).short, amountWithEnds(point, name)]);
  }
  if (point.like !== null) rows.push(["not told from", String(point.like)]);
  tip.replaceChildren(
    element("strong", {}, fronts.length > 1 ? `${title} on ${point.front.board}` : title),
    element("dl", {}, ...rows.flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]))
  );
  const beside = spot[0] + 16 + tip.offsetWidth > frame.width ? spot[0] - 16 - tip.offsetWidth : spot[0] + 16;
  tip.style.left = `${Math.max(0, Math.min(beside, frame.width - tip.offsetWidth))}px`;
  tip.style.top = `${Math.max(0, Math.min(spot[1] - tip.offsetHeight / 2, frame.tall - tip.offsetHeight))}px`;
}
