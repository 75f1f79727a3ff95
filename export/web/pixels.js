// Pixels as the network takes them, and back. The arithmetic is that of the Python package:
// Pillow's antialiased bicubic, pixel / 127.5 - 1, and (value + 1) * 127.5.

// The largest part in the middle of an image that has the shape of the network's images.
export function middle(width, height, [targetHeight, targetWidth]) {
  const scale = Math.min(width / targetWidth, height / targetHeight);
  const cut = { width: Math.max(1, Math.round(scale * targetWidth)), height: Math.max(1, Math.round(scale * targetHeight)) };
  return { x: Math.floor((width - cut.width) / 2), y: Math.floor((height - cut.height) / 2), ...cut };
}

// RGBA to float32 (1, height, width, channels) in [-1, 1].
export function toValues(rgba, channels) {
  const values = new Float32Array((rgba.length / 4) * channels);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    if (channels === 1) {
      values[to++] = gray(rgba[from], rgba[from + 1], rgba[from + 2]) / 127.5 - 1;
    } else {
      for (let c = 0; c < channels; c++) values[to++] = rgba[from + c] / 127.5 - 1;
    }
  }
  return values;
}

// The inverse: a clamped array rounds half to even and clips, as NumPy does.
export function toRgba(values, channels) {
  const rgba = new Uint8ClampedArray((values.length / channels) * 4).fill(255);
  for (let from = 0, to = 0; from < values.length; from += channels, to += 4) {
    for (let c = 0; c < 3; c++) rgba[to + c] = (values[from + (channels === 1 ? 0 : c)] + 1) * 127.5;
    if (channels === 4) rgba[to + 3] = (values[from + 3] + 1) * 127.5;
  }
  return rgba;
}

// Of Pillow's mode L: ITU-R 601, in integers.
function gray(red, green, blue) {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}

// Resizes RGBA, columns first and then rows, with 8 bits between the two, as Pillow does.
export function resize(rgba, width, height, toWidth, toHeight) {
  const narrow = new Uint8ClampedArray(toWidth * height * 4);
  pass(rgba, narrow, { from: width, to: toWidth, lines: height, step: 4, lineIn: 4 * width, lineOut: 4 * toWidth });
  const small = new Uint8ClampedArray(toWidth * toHeight * 4);
  const row = 4 * toWidth;
  pass(narrow, small, { from: height, to: toHeight, lines: toWidth, step: row, lineIn: 4, lineOut: 4 });
  return small;
}

// One direction: `lines` lines of `from` pixels that are `step` apart become lines of `to` pixels.
function pass(source, target, { from, to, lines, step, lineIn, lineOut }) {
  for (let out = 0; out < to; out++) {
    const { first, weights } = bicubicWeights(out, from, to);
    for (let line = 0; line < lines; line++) {
      const start = line * lineIn + first * step;
      const end = line * lineOut + out * step;
      for (let c = 0; c < 4; c++) {
        let sum = 0;
        for (let k = 0, at = start + c; k < weights.length; k++, at += step) sum += weights[k] * source[at];
        target[end + c] = sum;
      }
    }
  }
}

// What pixel `out` of `to` is made of: the first of the pixels, and the share of each.
function bicubicWeights(out, from, to) {
  const scale = from / to;
  const stretch = Math.max(scale, 1); // wider where the image becomes smaller: antialiasing
  const center = (out + 0.5) * scale;
  const first = Math.max(0, Math.floor(center - 2 * stretch + 0.5));
  const last = Math.min(from, Math.floor(center + 2 * stretch + 0.5));
  const weights = Array.from({ length: last - first }, (_, k) => bicubic((first + k - center + 0.5) / stretch));
  const sum = weights.reduce((a, b) => a + b);
  return { first, weights: weights.map((weight) => weight / sum) };
}

function bicubic(x) {
  const a = -0.5;
  x = Math.abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}
