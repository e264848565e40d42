// What the page shows: the run as front.json holds it, and the names of its figures.
const island = JSON.parse(document.getElementById("run").textContent);
const result = island.result;
const fronts = result.fronts;
const figures = island.figures;
const kind = island.kind;
const figureOf = new Map(figures.map((figure) => [figure.name, figure]));

// Every point of every board, best first within a board.
const points = fronts.flatMap((front, nth) =>
  front.points.map((point) => ({ ...point, nth, front, key: `${nth}:${point.id}` }))
);
const pointOf = new Map(points.map((point) => [point.key, point]));

// Value, low and high end of a figure; null where it is not a number, such as a share of nothing.
function ends(point, name) {
  const found = name === "share" ? sharesOf(point) : point.cost[name];
  if (!found || found.some((end) => end === null)) return null;
  return figureOf.get(name).percent ? found.map((end) => 100 * end) : found;
}

// The fullest resource, and the ends of all of them.
function sharesOf(point) {
  const shares = Object.values(point.board).map((use) => use.share).filter(Boolean);
  const most = (end) => Math.max(0, ...shares.map((share) => share[end]));
  return [point.share, most(1), most(2)];
}

function value(point, name) {
  const found = ends(point, name);
  return found && found[0];
}

const searched = (point) => 100 * point.search[kind];
const heldOut = (point) => 100 * point.held_out[kind];
const heldOutEnds = (point) => point.held_out[`${kind}_interval`].map((end) => 100 * end);

function number(x) {
  const size = Math.abs(x);
  const digits = size >= 1000 || Number.isInteger(x) ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 3;
  return x.toLocaleString("en-US", { maximumFractionDigits: digits });
}

const percent = (x) => `${x.toFixed(1)} %`;

function amount(x, name) {
  return figureOf.get(name).percent ? percent(x) : number(x);
}

function amountWithEnds(point, name) {
  const found = ends(point, name);
  if (!found) return name === "share" ? "not on this board" : "not known";
  const [at, low, high] = found;
  return low === high ? amount(at, name) : `${amount(at, name)} (${amount(low, name)} to ${amount(high, name)})`;
}

function accuracyWithEnds(point) {
  const [low, high] = heldOutEnds(point);
  return `${percent(heldOut(point))} (${low.toFixed(1)} to ${high.toFixed(1)})`;
}

// Elements are made from text, never from markup: names come from strangers.
function element(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function drawn(tag, attributes, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, content] of Object.entries(attributes || {})) {
    if (content !== null && content !== undefined) made.setAttribute(name, printable(content));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined).map(printable));
  return made;
}

// Marks of direction and other characters without a shape could turn a line or hide a part of it.
function printable(content) {
  return typeof content === "string" ? content.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?") : content;
}
