// LiteRT.js, set up for what this browser has: WebGPU, else WebAssembly, with threads if possible.
import { loadAndCompile, loadLiteRt, supportsFeature, Tensor, unloadLiteRt } from "./litert/core.js";
import { download } from "./download.js";

export class Runtime {
  #build;
  #starting = null; // a promise, from the first start on
  #arrived = 0; // of its bytes
  #onBytes;

  // Chooses before anything is downloaded. `runtimeBytes`: sizes by file, from models.json.
  static async choose(runtimeBytes, mayUseGpu) {
    const runtime = new Runtime();
    runtime.onGpu = mayUseGpu && Boolean(await navigator.gpu?.requestAdapter().catch(() => null));
    runtime.#build = await chooseBuild(runtime.onGpu);
    runtime.bytes = runtimeBytes[`litert/${runtime.#build}.wasm`];
    runtime.name = runtime.onGpu ? "WebGPU" : `WebAssembly${runtime.#build.includes("threaded") ? " with threads" : ""}`;
    return runtime;
  }

  get bytesToLoad() {
    return this.bytes - this.#arrived;
  }

  // Once: who asks while it starts waits with the others, and hears of the bytes from then on.
  start(onBytes) {
    this.#onBytes = onBytes;
    this.#starting ??= this.#start().catch((error) => {
      this.#forget();
      throw error;
    });
    return this.#starting;
  }

  async #start() {
    const count = (bytes) => {
      this.#arrived += bytes;
      this.#onBytes(bytes);
    };
    const script = new URL(`litert/${this.#build}.js`, import.meta.url).href;
    // What LiteRT.js finds here it uses: the file that was downloaded with progress, and, for its
    // threads, a blob, which keeps them to the content security policy (see translator.js).
    self.Module = {
      wasmBinary: await download(`litert/${this.#build}.wasm`, this.bytes, count),
      mainScriptUrlOrBlob: new Blob([`importScripts(${JSON.stringify(script)});`]),
    };
    await loadLiteRt(script);
  }

  // LiteRT.js cannot be unloaded while it loads.
  async stop() {
    const started = await this.#starting?.then(() => true, () => false);
    if (started) unloadLiteRt();
    this.#forget();
  }

  #forget() {
    this.#starting = null;
    this.#arrived = 0;
  }

  async compile(bytes) {
    if (!this.onGpu) return loadAndCompile(bytes, { accelerator: "wasm" });
    // In half precision a large image's sums would overflow, and the result would be wrong.
    const compiled = await loadAndCompile(bytes, { accelerator: "webgpu", gpuOptions: { precision: "fp32" } });
    // LiteRT.js falls back to WebAssembly by itself if the GPU lacks an operator, but without threads.
    if (compiled.options.accelerator !== "webgpu") throw new Error("The GPU lacks an operator");
    return compiled;
  }
}

// Float32 values in, float32 values out.
export async function run(compiled, values, shape) {
  const input = new Tensor(values, shape);
  try {
    const [output] = await compiled.run([input]);
    try {
      return await output.data();
    } finally {
      output.delete();
    }
  } finally {
    input.delete();
  }
}

async function chooseBuild(onGpu) {
  if (!(await supportsFeature("relaxedSimd"))) return "litert_wasm_compat_internal";
  // Threads share memory, which a browser allows if the server sends the COOP and COEP headers.
  const threads = !onGpu && self.crossOriginIsolated && (await supportsFeature("threads"));
  return threads ? "litert_wasm_threaded_internal" : "litert_wasm_internal";
}
