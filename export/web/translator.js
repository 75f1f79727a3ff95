// The page's side of the worker that computes, so that the page stays alive meanwhile.
import { Failure } from "./failure.js";

export class Translator {
  #worker;
  #waiting = new Map();
  #number = 0;

  // `onProgress` gets the bytes that have arrived and those that will.
  constructor(site, onProgress) {
    // Started from a blob, a worker follows the content security policy of the page; from its own
    // URL it would have none, because a plain file server sends no headers with it.
    const module = JSON.stringify(new URL("worker.js", import.meta.url).href);
    const start = new Blob([`import(${module}).catch((error) => postMessage({ broken: String(error) }));`]);
    this.#worker = new Worker(URL.createObjectURL(start));
    this.#worker.addEventListener("message", ({ data }) => {
      if (data.progress) onProgress(...data.progress);
      else this.#settle(data);
    });
    this.started = this.#expect(0).then(() => this.#worker.postMessage({ site }));
  }

  // Loads a model of `models.json`, in place of the one before: `{by}`, what it is computed by.
  load(model) {
    return this.#call({ load: model });
  }

  // `{before, after, seconds}`: two ImageData of the model's size.
  translate(bitmap) {
    return this.#call({ translate: bitmap });
  }

  async #call(message) {
    await this.started;
    const number = ++this.#number;
    const answer = this.#expect(number);
    this.#worker.postMessage({ number, ...message });
    return answer;
  }

  #expect(number) {
    return new Promise((resolve, reject) => this.#waiting.set(number, { resolve, reject }));
  }

  #settle({ number = 0, answer, failure, broken }) {
    const { resolve, reject } = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (broken) reject(new Failure(`The folder litert/ is missing beside this page, or this browser is too old (${broken}).`));
    else if (failure) reject(new Failure(failure));
    else resolve(answer);
  }
}
