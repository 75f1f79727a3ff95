"use strict";

const study = JSON.parse(document.getElementById("study").textContent);
const element = id => document.getElementById(id);
const sections = ["intro", "trial", "pause", "done"];
const places = [...document.querySelectorAll(".place")].map(place => ({
  place,
  image: place.querySelector("img"),
  button: place.querySelector("button"),
  caption: place.querySelector("figcaption"),
}));

function show(name) {
  for (const each of sections) element(each).hidden = each !== name;
}

// Orders and sides follow from the study and a number: `?session=7` in the address, or a random one.
function sessionNumber() {
  const given = new URLSearchParams(location.search).get("session");
  if (/^\d{1,9}$/.test(given ?? "")) return Number(given);
  return crypto.getRandomValues(new Uint32Array(1))[0];
}

// Numbers in [0, 1) from a text: the hash FNV-1a, then the generator mulberry32.
function generator(text) {
  let state = 2166136261;
  for (const letter of text) state = Math.imul(state ^ letter.codePointAt(0), 16777619);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(first, count, random) {
  const numbers = Array.from({ length: count }, (_, at) => first + at);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [numbers[last], numbers[other]] = [numbers[other], numbers[last]];
  }
  return numbers;
}

const session = sessionNumber();
const random = generator(`${study.study} ${session}`);
const randomOrder = () => (random() < 0.5 ? [0, 1] : [1, 0]);
const plan = [
  ...shuffled(0, study.practice, random),
  ...shuffled(study.practice, study.trials, random),
].map(pair => ({ pair, order: randomOrder() }));

// Time. The clock is read where a frame begins, and what changes then is in that frame.

class Stopped extends Error {}
let stopped = false;

async function frame() {
  const now = await new Promise(done => requestAnimationFrame(() => done(performance.now())));
  if (stopped) throw new Stopped();
  return now;
}

let period = 1000 / 60;

async function measurePeriod() {
  const times = [];
  for (let count = 0; count < 21; count++) times.push(await frame());
  const lengths = times.slice(1).map((time, at) => time - times[at]).sort((a, b) => a - b);
  period = Math.min(lengths[10], 1000 / 30);  // a page that is hidden has none
}

// The frame that is nearest to a time.
async function until(time) {
  let now;
  do now = await frame(); while (now < time - period / 2);
  return now;
}

// The pauses are those of the published page, and as many times as long as the exposure.
const part = times => study.milliseconds * times;

async function expose(image, time) {
  const begin = await until(time);
  image.classList.add("shown");
  const end = await until(begin + study.milliseconds);
  image.classList.remove("shown");
  return { end, length: Math.round((end - begin) * 100) / 100 };
}

// One trial.

async function prepare({ pair, order }) {
  places.forEach(({ image }, at) => { image.src = study.pairs[pair][order[at]]; });
  await Promise.all(places.map(({ image }) => image.decode()));
}

let choose = () => {};

async function ask() {
  for (const { button } of places) button.hidden = false;
  element("message").textContent = "Which one was real?";
  const side = await new Promise(done => { choose = done; });
  choose = () => {};
  for (const { button } of places) button.hidden = true;
  element("message").textContent = "";
  if (stopped) throw new Stopped();
  return side;
}

const answers = [];

// The side that was chosen, 0 or 1.
async function run(trial) {
  await prepare(trial);
  const first = await expose(places[0].image, performance.now() + part(0.9));
  const second = await expose(places[1].image, first.end + part(0.6));
  const asked = await until(second.end + part(0.1));
  const side = await ask();
  answers.push({
    pair: trial.pair,
    order: trial.order,
    chosen: trial.order[side],
    exposures: [first.length, second.length],
    seconds: Math.round(performance.now() - asked) / 1000,
  });
  return side;
}

async function tell({ pair, order }, side) {
  const real = order.indexOf(study.real[pair]);
  places.forEach(({ place, image, caption }, at) => {
    place.classList.add(at === real ? "real" : "fake");
    caption.textContent = at === real ? "Real" : "Fake";
    image.classList.add("shown");
  });
  element("message").textContent =
    side === real ? "You are right." : "You are wrong: the other one is real.";
  await until(performance.now() + part(2.4));
  for (const { place, image, caption } of places) {
    place.classList.remove("real", "fake");
    caption.textContent = "";
    image.classList.remove("shown");
  }
  element("message").textContent = "";
  return side === real;
}

// The whole session.

async function practice() {
  let right = 0;
  for (const [number, trial] of plan.slice(0, study.practice).entries()) {
    element("count").textContent = `Practice ${number + 1} of ${study.practice}`;
    right += await tell(trial, await run(trial));
  }
  element("practiced").textContent =
    `The practice is over. You were right in ${right} of ${study.practice} trials.`;
  show("pause");
  element("continue").focus();
  await new Promise(done => { element("continue").onclick = done; });
}

async function trials() {
  show("trial");
  for (const [number, trial] of plan.slice(study.practice).entries()) {
    element("count").textContent = `Trial ${number + 1} of ${study.trials}`;
    await run(trial);
  }
}

function finish() {
  const { practice, trials } = study;
  const given = Math.max(answers.length - practice, 0);
  element("thanks").textContent = given === trials
    ? `Thank you! You have answered all ${trials} trials.`
    : `You stopped after ${given} of ${trials} trials. Sessions that are not complete do not count.`;
  const { pairs, real, ...settings } = study;
  const content = {
    format: "cyclegan_tf answers: real or fake",
    version: 1,
    ...settings,
    session,
    image_width: Math.round(shownWidth * 10) / 10,
    frame_milliseconds: Math.round(period * 100) / 100,
    answers,
  };
  const text = `${JSON.stringify(content, null, 1)}\n`;
  element("answers").value = text;
  element("save").onclick = () => save(text, `answers_${study.study}_${session}.json`);
  show("done");
  element("save").focus();
}

let saved = true;  // nothing would be lost

function save(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  saved = true;
  element("saved").textContent =
    `Saved as ${name}, where your browser keeps downloads. Send this file to whoever asked you.`;
}

let shownWidth = 0;

async function begin() {
  saved = false;
  show("trial");
  shownWidth = places[0].place.getBoundingClientRect().width;
  try {
    await measurePeriod();
    if (study.practice) await practice();
    await trials();
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
  }
  finish();
}

let images = [];  // of all trials: a browser keeps what is in use, and reads no file in between

async function load() {
  images = study.pairs.flat().map(file => Object.assign(new Image(), { src: file }));
  const start = element("start");
  for (const [number, image] of images.entries()) {
    try {
      await image.decode();
    } catch {
      start.textContent = `${study.pairs.flat()[number]} is missing or damaged`;
      return;
    }
    start.textContent = `Loading images … ${number + 1} of ${images.length}`;
  }
  start.textContent = "Start";
  start.disabled = false;
  start.onclick = begin;
  start.focus();
}

const sides = { ArrowLeft: 0, ArrowUp: 0, 1: 0, ArrowRight: 1, ArrowDown: 1, 2: 1 };
addEventListener("keydown", event => {
  if (event.repeat || !(event.key in sides) || element("trial").hidden) return;
  event.preventDefault();  // nothing is to scroll
  choose(sides[event.key]);
});
places.forEach(({ button }, side) => { button.onclick = () => choose(side); });
element("stop").onclick = () => {
  if (!confirm("Stop here? A session that is not complete does not count.")) return;
  stopped = true;
  choose(null);
};
addEventListener("beforeunload", event => { if (!saved) event.preventDefault(); });
load();
