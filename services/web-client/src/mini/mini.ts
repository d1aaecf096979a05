// Whether the meeting is in a small window: one of the system, always on top, where the browser has
// such (Document Picture-in-Picture), else a card that is pinned to the page.

import { Store } from "../app/store";

export type MiniState =
  | { readonly kind: "off" }
  | { readonly kind: "card" }
  | { readonly kind: "window"; readonly window: Window };

/** Size of the small window that is asked for, in px. */
const SIZE = { width: 340, height: 240 };

interface PictureInPicture {
  requestWindow(size: { width: number; height: number }): Promise<Window>;
}

export class Mini {
  readonly state = new Store<MiniState>({ kind: "off" });

  /** To be called from a gesture. */
  async open(): Promise<void> {
    if (this.state.get().kind !== "off") return;
    const window = await smallWindow();
    if (window === undefined) return this.state.set({ kind: "card" });
    furnish(window.document);
    window.addEventListener("pagehide", () => this.gone(window));
    this.state.set({ kind: "window", window });
  }

  /** Pins the card without a gesture: somebody looks at something else meanwhile. */
  pin(): void {
    if (this.state.get().kind === "off") this.state.set({ kind: "card" });
  }

  close(): void {
    const state = this.state.get();
    this.state.set({ kind: "off" });
    if (state.kind === "window") state.window.close();
  }

  private gone(window: Window): void {
    const state = this.state.get();
    if (state.kind === "window" && state.window === window) this.state.set({ kind: "off" });
  }
}

async function smallWindow(): Promise<Window | undefined> {
  const { documentPictureInPicture } = globalThis as {
    documentPictureInPicture?: PictureInPicture;
  };
  try {
    return await documentPictureInPicture?.requestWindow(SIZE);
  } catch {
    // Forbidden by a policy, or without a gesture.
    return undefined;
  }
}

/** The new window looks like the page: the same style sheets and language. */
function furnish(page: Document): void {
  page.documentElement.lang = document.documentElement.lang;
  page.title = document.title;
  page.body.classList.add("mini-window");
  for (const sheet of document.querySelectorAll("link[rel=stylesheet], style")) {
    const copy = page.importNode(sheet, true) as Element;
    // Relative addresses mean nothing there.
    if (sheet instanceof HTMLLinkElement) copy.setAttribute("href", sheet.href);
    page.head.append(copy);
  }
}
