// What this site offers beside the models: `models.json`, which describes them, and examples.
import { Failure } from "./failure.js";

// `{domains, models: [{direction, label, example?, file, bytes, size, channels, output_channels}],
// runtime_bytes, files}`
export async function loadSite() {
  const response = await ask("models.json");
  try {
    return await response.json();
  } catch {
    throw new Failure("models.json beside this page cannot be read; write the site again with `cyclegan-tf export MODEL --web FOLDER`.");
  }
}

// An image, as a File.
export async function loadExample(name) {
  return new File([await (await ask(name)).blob()], name);
}

// A file of this site. The server is asked whether it changed: after another export, an old copy
// would not fit the other files.
export async function ask(name) {
  const response = await fetch(new URL(name, import.meta.url), { cache: "no-cache" }).catch(() => null);
  if (!response) throw new Failure(`${name} cannot be loaded: the server of this page does not answer; reload the page when it does.`);
  if (!response.ok) {
    throw new Failure(`${name} is missing beside this page; write the site again with \`cyclegan-tf export MODEL --web FOLDER\`.`);
  }
  return response;
}
