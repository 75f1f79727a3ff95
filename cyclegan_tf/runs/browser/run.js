"use strict";

// The slider over the sample grids.
const sheets = document.getElementById("sheets");
if (sheets) {
  const { epochs, sources, alt } = JSON.parse(sheets.textContent);
  const slider = document.getElementById("slider");
  const image = document.getElementById("sheet");
  const show = () => {
    const number = Number(slider.value);
    image.src = sources[number];
    image.alt = alt.replace("#", epochs[number]);
    slider.setAttribute("aria-valuetext", `epoch ${epochs[number]}`);
    document.getElementById("epoch").value = epochs[number];
    for (const near of [number - 1, number + 1])
      if (sources[near]) new Image().src = sources[near];  // so that the next one shows at once
  };
  slider.oninput = show;
  for (const button of document.querySelectorAll("button[data-number]"))
    button.onclick = () => { slider.value = button.dataset.number; show(); };
  // Browsers keep where a slider was when a page is loaded again, and the newest grid is meant.
  slider.value = slider.max;
  show();
}

// The curves.
const { charts, marks, first, last } = JSON.parse(document.getElementById("curves").textContent);
const color = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const said = value => value == null ? "–" : String(Number(value.toPrecision(4)));
const drawn = [];

// Lines across a chart at the best and at the last epoch.
function drawMarks(plot) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = color("--soft");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  for (const { epoch, text } of marks) {
    const x = plot.valToPos(epoch, "x", true);
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.textAlign = x > bbox.left + bbox.width / 2 ? "right" : "left";
    ctx.fillText(text, x + (ctx.textAlign === "right" ? -4 : 4) * devicePixelRatio, bbox.top - 4 * devicePixelRatio);
  }
  ctx.restore();
}

// All charts show all epochs, also those with a score in some epochs only, until one is zoomed.
function epochRange(epochs, from, to) {
  const whole = from <= epochs[0] && to >= epochs.at(-1);
  if (!whole) return [from, to];
  return first === last ? [first - 0.5, last + 0.5] : [first, last];
}

function valueRange(fromZero, from, to) {
  if (from == null) return [0, 1];
  return uPlot.rangeNum(fromZero ? Math.min(0, from) : from, to, 0.1, true);
}

function draw(chart) {
  const element = document.getElementById(`chart_${chart.key}`);
  const axis = {
    stroke: () => color("--soft"),
    grid: { stroke: () => color("--line"), width: 1 },
    ticks: { stroke: () => color("--line"), width: 1 },
  };
  const curve = ({ name, color: number, dashed }) => ({
    label: name,
    stroke: () => color(`--color-${number % 6}`),
    width: 2,
    dash: dashed ? [6, 4] : undefined,
    spanGaps: true,
    points: { show: chart.epochs.length <= 30 && !dashed, size: 5, fill: () => color(`--color-${number % 6}`) },
    value: (_, value) => said(value),
  });
  const size = () => ({ width: element.clientWidth, height: 230 });
  const newest = chart.epochs.length - 1;
  const plot = new uPlot({
    ...size(),
    padding: [18, 12, 0, 0],
    scales: {
      x: { time: false, range: (_, from, to) => epochRange(chart.epochs, from, to) },
      y: { range: (_, from, to) => valueRange(chart.from_zero, from, to) },
    },
    axes: [
      { ...axis, size: 34, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] },
      { ...axis, size: 60, values: (_, values) => values.map(value => value == null ? "" : String(Number(value.toPrecision(6)))) },
    ],
    series: [{ label: "epoch", value: (_, value) => said(value) }, ...chart.curves.map(curve)],
    legend: { markers: { dash: (self, number) => self.series[number].dash ? "dashed" : "solid" } },
    cursor: { sync: { key: "epochs", scales: ["x", null] }, y: false },
    hooks: {
      draw: [drawMarks],
      // Away from the pointer the legend has the newest values.
      setCursor: [self => { if (self.cursor.idx == null) self.setLegend({ idx: newest }, false); }],
    },
  }, [chart.epochs, ...chart.curves.map(curve => curve.values)], element);
  plot.setLegend({ idx: newest }, false);
  // uPlot itself listens to pointers only.
  let at = newest;
  element.onkeydown = event => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    at = Math.min(Math.max(at + step, 0), newest);
    plot.setCursor({ left: plot.valToPos(chart.epochs[at], "x"), top: 0 });
    plot.setLegend({ idx: at }, false);
  };
  new ResizeObserver(() => {
    if (element.clientWidth !== plot.width) plot.setSize(size());
  }).observe(element);
  drawn.push(plot);
}

charts.forEach(draw);
matchMedia("(prefers-color-scheme: dark)").onchange = () => drawn.forEach(plot => plot.redraw(false));
