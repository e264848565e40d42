// What is on the axes, and the budget: one slider for each figure in which the points differ.
const boards = document.getElementById("boards");
const chooseX = document.getElementById("x-figure");
const chooseY = document.getElementById("y-figure");
const logarithmic = document.getElementById("log");
const withCosts = document.getElementById("cost-intervals");
const budget = document.getElementById("budget");
const verdict = document.getElementById("best");
const clear = document.getElementById("clear");

const choices = fronts.map((front, board) => [board, front.board]);
if (fronts.length > 1) choices.push([ALL, "all boards"]);
for (const [board, name] of choices) {
  const input = element("input", { type: "radio", name: "board", value: board });
  input.checked = board === state.board;
  input.addEventListener("change", () => { showBoard(board); listLimits(); });
  const swatch = board === ALL ? null : element("span", { class: `swatch board-${board % 6}`, "aria-hidden": "true" });
  boards.append(element("label", {}, input, element("span", {}, swatch, name)));
}
boards.hidden = fronts.length < 2;

for (const figure of figures) chooseX.append(element("option", { value: figure.name }, figure.label));
chooseX.value = state.x;
chooseX.addEventListener("change", () => { state.x = chooseX.value; changed(); });
chooseY.addEventListener("change", () => { state.y = chooseY.value; state.floor = null; listLimits(); changed(); });
logarithmic.addEventListener("change", () => { state.log = logarithmic.checked; changed(); });
withCosts.addEventListener("change", () => { state.costIntervals = withCosts.checked; changed(); });
clear.addEventListener("click", clearBudget);

const sliders = new Map();

function slider(name, label, low, high, write, read, text) {
  const id = `limit-${name}`;
  const input = element("input", { type: "range", id, min: 0, max: 1000, step: 1 });
  const output = element("output", { for: id });
  input.addEventListener("input", () => {
    write(low + ((high - low) * input.valueAsNumber) / 1000, input.valueAsNumber);
    changed();
  });
  const update = () => {
    const at = read();
    input.value = at === null ? (name === "floor" ? 0 : 1000) : Math.round(((at - low) / (high - low)) * 1000);
    output.textContent = at === null ? "any" : text(at);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  sliders.set(name, update);
  return element("div", { class: "limit-row" }, element("label", { for: id }, label), output, input);
}

// Sliders span what the points of the shown boards have.
function listLimits() {
  sliders.clear();
  const rows = [];
  const others = [];
  const heights = shown().map(height);
  const [low, high] = [Math.min(...heights), Math.max(...heights)];
  if (high > low) {
    rows.push(slider("floor", `${kind} at least`, low, high,
      (at, step) => { state.floor = step === 0 ? null : at; }, () => state.floor, (at) => percent(at)));
  }
  for (const { name, label, main } of figures) {
    const all = shown().map((point) => value(point, name)).filter((at) => at !== null);
    const [least, most] = [Math.min(...all), Math.max(...all)];
    if (!(most > least)) continue;
    (main ? rows : others).push(slider(name, label, least, most,
      (at, step) => limit(name, step === 1000 ? Infinity : at),
      () => { const found = state.limits.get(name); return found && found[1] < Infinity ? Math.min(Math.max(found[1], least), most) : null; },
      (at) => `≤ ${amount(at, name)}`));
  }
  const more = element("details", { class: "more" }, element("summary", {}, "Other figures"), element("div", { class: "budget" }, ...others));
  budget.replaceChildren(...rows);
  if (others.length) budget.append(more);
}

function limit(name, high) {
  const [low] = state.limits.get(name) || [-Infinity];
  if (high === Infinity && low === -Infinity) state.limits.delete(name);
  else state.limits.set(name, [low, high]);
}

function updateControls() {
  for (const update of sliders.values()) update();
  const positive = shown().every((point) => { const found = ends(point, state.x); return !found || found[1] > 0; });
  logarithmic.disabled = !positive;
  clear.hidden = !limited();
  const count = shown().filter(inside).length;
  const named = fronts.map((front, board) => [front, best(board)])
    .filter(([, point], board) => state.board === ALL || state.board === board);
  const lines = named.map(([front, point]) => {
    const where = state.board === ALL ? ` on ${front.board}` : "";
    if (!point) return element("p", {}, `No point${where} is inside this budget.`);
    const button = element("button", { type: "button", class: "link" }, `point ${point.id}`);
    button.addEventListener("click", () => select(point.key));
    const figure = figureOf.get(state.x);
    return element("p", {}, element("strong", {}, `Best inside${where}: `), button,
      `, ${accuracyWithEnds(point)} held out, ${figure.short} ${amountWithEnds(point, state.x)}${point.fits === "no" ? ", does not fit the board" : ""}`);
  });
  const total = shown().length;
  verdict.replaceChildren(...lines, element("p", { class: "muted" }, limited() ? `${count} of ${total} points inside.` : `All ${total} points inside.`));
}
