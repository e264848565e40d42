// Axes: from figures to pixels and back, and where their ticks are.
function scaleOf(low, high, start, end, log) {
  const across = log ? Math.log : (x) => x;
  const back = log ? Math.exp : (x) => x;
  const span = across(high) - across(low) || 1;
  const scale = (x) => start + ((across(x) - across(low)) / span) * (end - start);
  scale.back = (pixel) => back(across(low) + ((pixel - start) / (end - start)) * span);
  scale.ticks = log ? decades(low, high) : rounds(low, high, Math.max(2, Math.abs(end - start) / 75));
  scale.low = low;
  scale.high = high;
  return scale;
}

function rounds(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((found) => found >= rough);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
    ticks.push(Number((i * step).toPrecision(12)));
  }
  return ticks;
}

function decades(low, high) {
  const found = [];
  const factors = high / low > 300 ? [1] : [1, 2, 5];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const factor of factors) {
      const tick = Number(`${factor}e${power}`);
      if (tick >= low && tick <= high) found.push(tick);
    }
  }
  return found.length > 1 ? found : rounds(low, high, 4);
}

// Short numbers for ticks: 74k instead of 74,000.
function tickText(x, ticks) {
  const most = Math.max(...ticks.map(Math.abs));
  const step = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : 1;
  if (most >= 10000 && step >= 100) {
    return `${(x / 1000).toLocaleString("en-US", { maximumFractionDigits: step % 1000 ? 1 : 0 })}k`;
  }
  return x.toLocaleString("en-US", { maximumFractionDigits: step < 0.1 ? 2 : step < 1 ? 1 : 0 });
}

function padded(low, high, share) {
  const pad = (high - low) * share || Math.max(1, Math.abs(high) * 0.1);
  return [low - pad, high + pad];
}

function xScale(start, end) {
  const all = shown().map((point) => ends(point, state.x)).filter(Boolean);
  const pick = state.costIntervals ? (e) => e : (e) => [e[0]];
  const flat = all.flatMap(pick);
  if (!flat.length) return scaleOf(0, 1, start, end, false);
  const low = Math.min(...flat);
  const high = Math.max(...flat);
  if (state.log && low > 0) {
    const pad = (high / low) ** 0.05 || 1.1;
    return scaleOf(low / Math.max(pad, 1.02), high * Math.max(pad, 1.02), start, end, true);
  }
  const [from, to] = padded(low, high, 0.05);
  return scaleOf(low >= 0 ? Math.max(0, from) : from, to, start, end, false);
}

function yScale(start, end) {
  const flat = shown().flatMap((p) => [searched(p), ...(state.y === "held_out" ? heldOutEnds(p) : [])]);
  const [low, high] = padded(Math.min(...flat), Math.max(...flat), 0.06);
  return scaleOf(Math.max(0, low), Math.min(high, 101), start, end, false);
}
