// The middle of an image at the size of the network's images.
import { middle, resize } from "./pixels.js";

// A much larger image is halved first, until this many pixels are left for each of the final
// ones on a side: that bounds memory, and phones refuse large canvases.
const LEAST_LEFT = 4;

// RGBA (Uint8ClampedArray). With fewer than 4 channels, transparent pixels are drawn on white.
export function cutOut(bitmap, size, channels) {
  const box = middle(bitmap.width, bitmap.height, size);
  let halvings = Math.max(0, Math.floor(Math.log2(box.width / size[1] / LEAST_LEFT)));
  let canvas = draw(bitmap, box, halvings ? 0.5 : 1, channels < 4);
  while (halvings-- > 1) canvas = draw(canvas, { x: 0, y: 0, width: canvas.width, height: canvas.height }, 0.5);
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  return width === size[1] && height === size[0] ? data : resize(data, width, height, size[1], size[0]);
}

// Part of an image on its own canvas. At scale 0.5 each pixel is the mean of four.
function draw(source, { x, y, width, height }, scale, onWhite = false) {
  const canvas = new OffscreenCanvas(Math.round(width * scale), Math.round(height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (onWhite) {
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  context.drawImage(source, x, y, width, height, 0, 0, canvas.width, canvas.height);
  return canvas;
}
