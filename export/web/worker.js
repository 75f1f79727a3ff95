// Computes beside the page. Messages: first `{site}`, then `{number, load}` or `{number, translate}`,
// answered by `{number, answer}` or `{number, failure}`, with `{progress}` in between.
import { Failure, sentenceOf } from "./failure.js";
import { download } from "./download.js";
import { cutOut } from "./cut_out.js";
import { toRgba, toValues } from "./pixels.js";
import { Runtime, run } from "./runtime.js";

let site, runtime, model, compiled;
let mayUseGpu = true;
let last = Promise.resolve();

self.addEventListener("message", ({ data }) => {
  last = last.then(() => handle(data)); // one after the other
});
postMessage({ number: 0 }); // listens now

async function handle({ number, ...message }) {
  try {
    if (message.site) site = message.site;
    if (message.load) postMessage({ number, answer: await load(message.load) });
    if (message.translate) postMessage({ number, answer: await translate(message.translate) });
  } catch (error) {
    postMessage({ number, failure: sentenceOf(error) });
  }
}

async function load(wanted) {
  if (wanted.file !== model?.file) {
    compiled?.delete(); // first, because a phone may not hold two
    model = compiled = null;
    await orWithoutGpu(() => compile(wanted));
    model = wanted;
  }
  return { by: runtime.name };
}

async function compile(wanted) {
  runtime ??= await Runtime.choose(site.runtime_bytes, mayUseGpu);
  const total = wanted.bytes + runtime.bytesToLoad;
  let arrived = 0;
  const onBytes = (count) => postMessage({ progress: [(arrived += count), total] });
  const [bytes] = await Promise.all([download(wanted.file, wanted.bytes, onBytes), runtime.start(onBytes)]);
  compiled = await runtime.compile(bytes).catch((error) => {
    if (runtime.onGpu) throw error;
    throw new Failure(`${wanted.file} is not a model that LiteRT.js can run (${error.message}); write the site again.`);
  });
  // The first pass is the slow one, and shows whether the GPU really computes it.
  await run(compiled, new Float32Array(valuesOf(wanted)), shapeOf(wanted));
}

async function translate(bitmap) {
  const [height, width] = model.size;
  const before = cutOut(bitmap, model.size, model.channels);
  const start = performance.now();
  const values = await orWithoutGpu(async () => {
    if (!compiled) await compile(model);
    return run(compiled, toValues(before, model.channels), shapeOf(model));
  });
  const seconds = (performance.now() - start) / 1000;
  const after = toRgba(values, model.output_channels);
  return { before: new ImageData(before, width, height), after: new ImageData(after, width, height), seconds };
}

// Once more in WebAssembly if the GPU failed: some drivers do, and a device may be lost.
async function orWithoutGpu(task) {
  try {
    return await task();
  } catch (error) {
    if (!runtime?.onGpu || error instanceof Failure) throw error;
    mayUseGpu = false;
    await runtime.stop();
    runtime = compiled = null;
    return task();
  }
}

function shapeOf({ size: [height, width], channels }) {
  return [1, height, width, channels];
}

function valuesOf(wanted) {
  return shapeOf(wanted).reduce((a, b) => a * b);
}
