// The page: what the visitor does, and what is shown of it.
import { takePhoto } from "./camera.js";
import { showPair } from "./compare.js";
import { sentenceOf } from "./failure.js";
import { readImage } from "./picture.js";
import { loadExample, loadSite } from "./site.js";
import { Translator } from "./translator.js";

const element = (id) => document.getElementById(id);
let model, image, translator, fileName;
let own = false; // whether the visitor gave the image; until then the example of the direction is shown
let shown; // `{name, direction}` of the translation that can be saved
let latest = 0; // of what was asked for; what was asked for earlier is no longer shown

// In `kind` "busy", "done", "failure" or "" for the style sheet and for tests.
function say(sentence, kind = "") {
  element("status").textContent = sentence;
  element("now").dataset.kind = kind;
  element("loading").hidden = kind !== "busy";
  element("progress").removeAttribute("value"); // moves by itself until there are numbers
  element("amount").textContent = "";
}

// Beside the status, which screen readers read out at every change.
function showProgress(arrived, total) {
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
  element("progress").value = arrived / total;
  element("amount").textContent = `${megabytes(arrived)} of ${megabytes(total)} MB`;
}

// Does something that replaces what was asked for earlier; `task` gets its number.
const supersede = (task) => attempt(task, ++latest);

// Does something that may fail; its failure becomes a sentence, unless something newer was asked for.
async function attempt(task, number = latest) {
  try {
    await task(number);
  } catch (error) {
    if (number !== latest) return;
    latest++; // what is under way would write over the sentence
    say(sentenceOf(error), "failure");
    element("now").scrollIntoView({ block: "nearest" });
  }
}

// Brings the page to the chosen model and image.
async function refresh(number) {
  say("Loading the translator …", "busy");
  const { by } = await translator.load(model);
  if (number !== latest) return;
  if (!own) await takeExample(number);
  if (number !== latest) return;
  if (!image) return say("Ready.", "done");
  say(own ? "Translating …" : "Translating an example …", "busy");
  const { before, after, seconds } = await translator.translate(image);
  if (number !== latest) return;
  showPair(before, after);
  shown = { name: fileName, direction: model.direction };
  element("timing").textContent = `${model.label} in ${seconds.toFixed(seconds < 1 ? 2 : 1)} s, by ${by}`;
  element("result").hidden = false;
  if (!own) return say("Ready. This is an example; choose an image of your own.", "done");
  element("result").scrollIntoView({ block: "nearest" }); // on a phone it begins below the screen
  say("Translated. Drag the line, or move it with the arrow keys.", "done");
}

// The previous image must not be shown under a message about this one.
async function read(file, number) {
  try {
    return await readImage(file);
  } catch (error) {
    if (number === latest) element("result").hidden = true;
    throw error;
  }
}

function setImage(bitmap, name) {
  image?.close();
  [image, fileName] = [bitmap, name];
}

async function useImage(bitmap, name, number) {
  own = true;
  setImage(bitmap, name);
  await refresh(number);
}

// A missing or damaged one is skipped: visitors did not ask for it.
async function takeExample(number) {
  const file = model.example && (await loadExample(model.example).catch(() => null));
  const bitmap = file && (await readImage(file).catch(() => null));
  if (number !== latest) return bitmap?.close();
  setImage(bitmap, file?.name);
  element("result").hidden = !bitmap;
}

// A file, or the promise of one.
const useFile = (promised) =>
  supersede(async (number) => {
    say("Reading the image …", "busy");
    const file = await promised;
    const bitmap = await read(file, number);
    if (number === latest) await useImage(bitmap, file.name, number);
  });

function listen() {
  element("input").hidden = false;
  element("file").addEventListener("change", ({ target }) => {
    if (target.files.length) useFile(target.files[0]);
    target.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("paste", ({ clipboardData }) => {
    if (clipboardData.files.length) useFile(clipboardData.files[0]);
  });
  element("open-camera").addEventListener("click", () =>
    attempt(async () => {
      const bitmap = await takePhoto();
      if (bitmap) await supersede((number) => useImage(bitmap, "camera", number));
    }),
  );
  element("download").addEventListener("click", () => attempt(saveTranslation));
  element("example").addEventListener("click", () => useFile(loadExample(model.example)));
  listenForDrops();
}

// Anywhere on the page: a file dropped beside the mark would else replace the page.
function listenForDrops() {
  let depth = 0; // of the elements that the file is dragged into
  const mark = () => element("input").classList.toggle("over", depth > 0);
  addEventListener("dragenter", () => (depth++, mark()));
  addEventListener("dragleave", () => (depth--, mark()));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    mark();
    if (event.dataTransfer.files.length) useFile(event.dataTransfer.files[0]);
  });
}

async function saveTranslation() {
  const { name, direction } = shown;
  const file = await new Promise((resolve) => element("after").toBlob(resolve, "image/png"));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `${name.replace(/\.[^.]*$/, "")}_${direction}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function offerDirections(models) {
  for (const offered of models) {
    const label = document.createElement("label");
    const radio = document.createElement("input");
    radio.type = "radio";
    radio.name = "direction";
    radio.value = offered.direction;
    radio.checked = offered === model;
    radio.addEventListener("change", () => supersede((number) => (choose(offered), refresh(number))));
    label.append(radio, offered.label);
    element("directions").append(label);
  }
  element("directions").hidden = models.length < 2;
}

function choose(chosen) {
  model = chosen;
  const [height, width] = model.size;
  element("example").hidden = !model.example;
  element("method").textContent =
    `This translator works at ${width} × ${height} pixels: it takes the largest part in the middle of an image that has ` +
    `this shape, scales it (bicubic) and gives as many pixels back.`;
}

supersede(async (number) => {
  say("Loading …", "busy");
  const site = await loadSite();
  element("title").textContent = document.title = site.models.length > 1 ? site.domains.join(" ⇄ ") : site.models[0].label;
  translator = new Translator(site, showProgress);
  choose(site.models[0]);
  offerDirections(site.models);
  listen();
  await refresh(number);
});
