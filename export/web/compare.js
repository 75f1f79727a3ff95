// Before and after in one place, and a line between them that is dragged or moved by the arrow keys.

const frame = document.getElementById("compare");
const divide = document.getElementById("divide");

export function showPair(before, after) {
  draw(document.getElementById("before"), before);
  draw(document.getElementById("after"), after);
  frame.style.setProperty("--shape", `${before.width} / ${before.height}`);
  moveTo(50);
}

function draw(canvas, pixels) {
  canvas.width = pixels.width;
  canvas.height = pixels.height;
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

function moveTo(percent) {
  divide.value = percent;
  frame.style.setProperty("--divide", `${divide.value}%`);
}

// The range input is for keys and screen readers. Its own dragging starts only at the thumb on
// some phones; here it starts anywhere.
divide.addEventListener("input", () => moveTo(divide.value));
frame.addEventListener("pointerdown", (event) => {
  frame.setPointerCapture(event.pointerId);
  follow(event);
});
frame.addEventListener("pointermove", (event) => {
  if (frame.hasPointerCapture(event.pointerId)) follow(event);
});

function follow(event) {
  const { left, width } = frame.getBoundingClientRect();
  moveTo((100 * (event.clientX - left)) / width);
}
