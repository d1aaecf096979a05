// Gives the person a file, as if it had been a link to one.

/** How long the browser may take to begin with it, in ms. */
const BEGINS_WITHIN_MS = 60_000;

export function saveFile(file: Blob, name: string): void {
  const address = URL.createObjectURL(file);
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address), BEGINS_WITHIN_MS);
}
