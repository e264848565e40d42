// Pointer and keyboard on the picture: hover, click, a range drawn with the mouse, arrow keys.
const NEAR = 22;
let pressed = null;

function position(event) {
  const edge = svg.getBoundingClientRect();
  return [((event.clientX - edge.left) * frame.width) / edge.width, ((event.clientY - edge.top) * frame.tall) / edge.height];
}

function nearest([px, py]) {
  let found = null;
  let least = NEAR;
  for (const point of shown()) {
    const spot = placed(point);
    const far = spot ? Math.hypot(spot[0] - px, spot[1] - py) : Infinity;
    if (far < least) [found, least] = [point, far];
  }
  return found;
}

svg.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  pressed = { at: position(event), brushing: false };
  svg.setPointerCapture(event.pointerId);
});

svg.addEventListener("pointermove", (event) => {
  const at = position(event);
  if (pressed && Math.abs(at[0] - pressed.at[0]) > 6) pressed.brushing = true;
  if (pressed && pressed.brushing) {
    const edges = [pressed.at[0], at[0]].sort((a, b) => a - b).map(frame.x.back);
    state.limits.set(state.x, edges);
    showTip(null);
    changedSoon();
    return;
  }
  const point = nearest(at);
  if ((point && point.key) !== state.hovered) showTip(point && point.key);
});

svg.addEventListener("pointerup", (event) => {
  if (!pressed) return;
  const brushed = pressed.brushing;
  pressed = null;
  if (brushed) return changed();
  const point = nearest(position(event));
  if (!point) return;
  select(point.key);
  marks.get(point.key).focus({ preventScroll: true });
});

svg.addEventListener("pointercancel", () => { pressed = null; });
svg.addEventListener("pointerleave", () => { if (!pressed) showTip(null); });
svg.addEventListener("dblclick", (event) => { if (!nearest(position(event))) clearBudget(); });
layers.points.addEventListener("focusin", (event) => {
  const mark = event.target.closest(".point");
  if (mark && mark.matches(":focus-visible")) showTip(mark.dataset.key);
});
layers.points.addEventListener("focusout", () => showTip(null));

svg.addEventListener("keydown", (event) => {
  const mark = event.target.closest(".point");
  if (event.key === "Escape") {
    showTip(null);
    clearBudget();
  }
  if (!mark) return;
  const row = shown().filter(placed).sort((a, b) => value(a, state.x) - value(b, state.x) || height(a) - height(b));
  const here = row.findIndex((point) => point.key === mark.dataset.key);
  const steps = { ArrowRight: here + 1, ArrowUp: here + 1, ArrowLeft: here - 1, ArrowDown: here - 1, Home: 0, End: row.length - 1 };
  if (event.key in steps) {
    const next = row[Math.min(row.length - 1, Math.max(0, steps[event.key]))];
    mark.setAttribute("tabindex", "-1");
    marks.get(next.key).setAttribute("tabindex", "0");
    marks.get(next.key).focus();
  } else if (event.key === "Enter" || event.key === " ") {
    select(mark.dataset.key);
  } else {
    return;
  }
  event.preventDefault();
});
