// Ties the parts together: tables follow what is shown, and everything is drawn again on a change.
const tables = [...document.querySelectorAll("[data-front]")];
for (const cell of document.querySelectorAll("[data-point]")) {
  const button = element("button", { type: "button", class: "link" }, cell.textContent);
  button.addEventListener("click", () => {
    select(cell.dataset.point);
    document.getElementById("front").scrollIntoView({ block: "start" });
    details.focus({ preventScroll: true });
  });
  cell.replaceChildren(button);
}

function updateTables() {
  for (const table of tables) {
    table.hidden = state.board !== ALL && Number(table.dataset.front) !== state.board;
  }
  for (const row of document.querySelectorAll("[data-row]")) {
    row.classList.toggle("out", !inside(pointOf.get(row.dataset.row)));
    row.classList.toggle("chosen", row.dataset.row === state.selected);
  }
}

function changed() {
  draw();
  updateControls();
  updateDetails();
  updateTables();
}

// Once for each frame: a mouse may move more often than a front of many points is drawn.
let waiting = false;
function changedSoon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    changed();
  });
}

document.documentElement.classList.add("scripted");
listLimits();
changed();
new ResizeObserver(() => draw()).observe(box);
