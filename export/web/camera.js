// The camera: a dialog with a viewfinder, and a photo or a sentence that says why there is none.
import { Failure } from "./failure.js";

const dialog = document.getElementById("camera");
const viewfinder = document.getElementById("viewfinder");
const take = document.getElementById("take");

// An ImageBitmap, or null if the visitor canceled.
export async function takePhoto() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Failure("The camera works only in pages from https or localhost; choose an image file instead.");
  }
  dialog.returnValue = "";
  dialog.showModal();
  let stream;
  try {
    const closed = new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    stream = await openCamera();
    if (dialog.open) await showStream(stream);
    await closed;
    return dialog.returnValue === "taken" ? await createImageBitmap(viewfinder) : null;
  } finally {
    stream?.getTracks().forEach((track) => track.stop());
    viewfinder.srcObject = null;
    take.disabled = true;
    dialog.close();
  }
}

take.addEventListener("click", () => dialog.close("taken"));
document.getElementById("close-camera").addEventListener("click", () => dialog.close(""));

async function showStream(stream) {
  viewfinder.srcObject = stream;
  await viewfinder.play();
  take.disabled = false;
  take.focus();
}

async function openCamera() {
  try {
    return await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } },
    });
  } catch (error) {
    throw new Failure(REASONS[error.name] ?? `The camera cannot be used (${error.message}); choose an image file instead.`);
  }
}

const REASONS = {
  NotAllowedError: "The camera was refused; allow it for this page in the browser's settings, or choose an image file.",
  NotFoundError: "No camera was found; connect one, or choose an image file.",
  NotReadableError: "The camera is used by another program; close that one, or choose an image file.",
};
