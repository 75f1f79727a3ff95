// From a visitor's file to its pixels, or a sentence that says why not.
import { Failure } from "./failure.js";

const MOST_MEGABYTES = 100;
const MOST_MEGAPIXELS = 64;

// An upright ImageBitmap of a File: the camera's orientation tag is applied.
export async function readImage(file) {
  const name = `“${file.name}”`;
  if (file.size > MOST_MEGABYTES * 1e6) {
    throw new Failure(`${name} is too large: ${Math.round(file.size / 1e6)} MB, and at most ${MOST_MEGABYTES} MB are read; make it smaller.`);
  }
  const { width, height } = await sizeOf(file, name);
  if (width * height > MOST_MEGAPIXELS * 1e6) {
    throw new Failure(`${name} is too large: ${width} × ${height} pixels, and at most ${MOST_MEGAPIXELS} million are read; make it smaller.`);
  }
  try {
    // Without color profiles, as in training.
    return await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw notAnImage(name);
  }
}

// Width and height, before all pixels are decoded: a small file may hold a huge image.
async function sizeOf(file, name) {
  const image = new Image();
  const url = URL.createObjectURL(file);
  try {
    return await new Promise((resolve, reject) => {
      image.onload = () => resolve({ width: image.naturalWidth, height: image.naturalHeight });
      image.onerror = () => reject(notAnImage(name));
      image.src = url;
    });
  } finally {
    URL.revokeObjectURL(url);
  }
}

function notAnImage(name) {
  return new Failure(`${name} is not an image that this browser can read; choose a JPEG, PNG, WebP, GIF or BMP file.`);
}
