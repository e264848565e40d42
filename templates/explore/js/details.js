// The chosen point: bits, accuracies, costs, and the command that builds it.
const details = document.getElementById("details");
const folder = document.getElementById("run-folder");
const line = document.getElementById("command");
const copied = document.getElementById("copied");
folder.value = folderOfPage();
folder.addEventListener("input", () => writeCommand());

function updateDetails() {
  const point = pointOf.get(state.selected);
  const badges = [];
  if (point.id === point.front.knee) badges.push(element("span", { class: "badge" }, "knee"));
  badges.push(element("span", { class: `badge fits-${point.fits}` }, { yes: "fits", borderline: "borderline fit", no: "does not fit" }[point.fits] || "fit not known"));
  details.replaceChildren(...[
    element("h3", {}, `Point ${point.id}`, element("span", { class: "muted" }, ` on ${point.front.board}`)),
    element("p", { class: "badges" }, ...badges),
    alikeNote(point),
    staysNote(point),
  ].filter(Boolean));
  document.getElementById("facts").replaceChildren(
    facts(kind === "accuracy" ? "Accuracy" : `Agreement with the ${island.reference}`, accuracies(point)),
    bitsOf(point),
    facts("Estimated cost", costs(point))
  );
  writeCommand();
}

function alikeNote(point) {
  if (point.like === null) {
    const last = point.front.points[point.front.points.length - 1].id === point.id;
    return element("p", { class: "muted" }, last ? "The cheapest point of the front." : "Told apart from every cheaper point of the front.");
  }
  const button = element("button", { type: "button", class: "link" }, `point ${point.like}`);
  button.addEventListener("click", () => select(`${point.nth}:${point.like}`));
  return element("p", { class: "alike-note" }, "Held-out answers do not tell it from the cheaper ", button, ".");
}

function staysNote(point) {
  if (typeof point.stable !== "number") return null;
  const { draws } = point.front.stability;
  return element("p", { class: "muted" }, `On the front in ${Math.round(100 * point.stable)} % of ${number(draws)} draws of the estimator's errors.`);
}

function accuracies(point) {
  const rows = [
    [`held out, ${number(point.held_out.samples)} samples`, percent(heldOut(point)), heldOutEnds(point).map((e) => e.toFixed(1)).join(" to ")],
    [`searched, ${number(point.search.samples)} samples`, percent(searched(point)), ""],
  ];
  if (kind === "accuracy") {
    const [low, high] = point.held_out.agreement_interval.map((end) => (100 * end).toFixed(1));
    rows.push([`as the ${island.reference}, held out`, percent(100 * point.held_out.agreement), `${low} to ${high}`]);
  }
  return rows;
}

function costs(point) {
  return figures.filter(({ name }) => ends(point, name)).map(({ name, label }) => {
    const [at, low, high] = ends(point, name);
    const available = point.front.available[name];
    const title = available ? `${label}, of ${number(available)}` : label;
    return [title, amount(at, name), low === high ? "" : `${amount(low, name)} to ${amount(high, name)}`];
  });
}

function facts(title, rows) {
  return element("table", { class: "facts-table" }, element("caption", {}, title), element("tbody", {},
    ...rows.map(([name, at, rest]) => element("tr", {}, element("th", { scope: "row" }, name),
      element("td", { class: "n" }, at), element("td", { class: "n muted" }, rest)))));
}

function bitsOf(point) {
  const rows = result.variables.map((variable) => {
    const bits = point.bits[variable.name];
    const most = variable.options[variable.options.length - 1];
    const bar = element("span", { class: "bits-bar", "aria-hidden": "true" }, element("span", { style: `width:${(100 * bits) / most}%` }));
    const others = variable.of.filter((name) => name !== variable.name);
    const name = element("th", { scope: "row" }, variable.name);
    if (others.length) name.append(element("small", {}, `also ${others.join(", ")}`));
    return element("tr", {}, name, element("td", { class: "n" }, String(bits)), element("td", {}, variable.options.length > 1 ? bar : element("small", {}, "fixed")));
  });
  return element("table", { class: "facts-table bits-table" }, element("caption", {}, "Bits (w weights, a activations)"), element("tbody", {}, ...rows));
}

function writeCommand() {
  line.textContent = command(pointOf.get(state.selected), folder.value || "RUN");
  copied.textContent = "";
}

document.getElementById("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(line.textContent);
    copied.textContent = "Copied.";
  } catch {
    getSelection().selectAllChildren(line);
    copied.textContent = document.execCommand("copy") ? "Copied." : "Selected: copy it with Ctrl+C.";
  }
});
