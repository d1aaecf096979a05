// Notices as the system shows them, for who has another page in front: when it was allowed, and only
// while this page is hidden. Nothing takes the focus; a click on one brings the page to the front.

import { Store } from "../app/store";
import type { Notice } from "./notices";

export type Permission = "unsupported" | "askable" | "granted" | "denied";

/** The words for a notice. */
export interface Wording {
  readonly title: string;
  readonly body: string;
}

/** A notification that is shown. */
export type Shown = Pick<Notification, "onclick" | "close">;

/** The part of the browser that is used. */
export interface Desktop {
  /** Undefined if the browser has no notifications. */
  permission(): NotificationPermission | undefined;
  request(): Promise<NotificationPermission>;
  show(title: string, body: string, tag: string): Shown;
  hidden(): boolean;
  /** Brings the page to the front. */
  front(): void;
}

export class SystemNotifier {
  readonly state: Store<Permission>;
  /** In the language of the page; the view sets it. */
  wording: (notice: Notice) => Wording = ({ subject, fromName }) => ({
    title: subject,
    body: fromName,
  });
  private readonly shown = new Map<string, Shown>();
  private readonly told = new Set<string>();

  constructor(private readonly desktop: Desktop) {
    this.state = new Store(permissionOf(desktop.permission()));
  }

  /** Asks for the permission; only to be called from a click. */
  async ask(): Promise<void> {
    if (this.state.get() !== "askable") return;
    this.state.set(permissionOf(await this.desktop.request().catch(() => undefined)));
  }

  /** What is to be told now; called whenever that changes. Each is told once. */
  tell(notices: readonly Notice[]): void {
    const ids = new Set(notices.map(({ id }) => id));
    for (const [id, notification] of this.shown) {
      if (ids.has(id)) continue;
      notification.close();
      this.shown.delete(id);
    }
    // What was put off is told again when it comes again.
    for (const id of this.told) if (!ids.has(id)) this.told.delete(id);
    for (const notice of notices) this.tellOne(notice);
  }

  private tellOne(notice: Notice): void {
    if (this.told.has(notice.id)) return;
    this.told.add(notice.id);
    if (this.state.get() !== "granted" || !this.desktop.hidden()) return;
    const { title, body } = this.wording(notice);
    try {
      const notification = this.desktop.show(title, body, notice.id);
      notification.onclick = () => {
        this.desktop.front();
        notification.close();
      };
      this.shown.set(notice.id, notification);
    } catch {
      // Some browsers allow it to service workers only: the toast is there.
      this.state.set("unsupported");
    }
  }
}

export function browserDesktop(): Desktop {
  return {
    permission: () => ("Notification" in globalThis ? Notification.permission : undefined),
    request: () => Notification.requestPermission(),
    show: (title, body, tag) => new Notification(title, { body, tag, icon: "/icon.svg" }),
    hidden: () => document.hidden,
    front: () => window.focus(),
  };
}

function permissionOf(permission: NotificationPermission | undefined): Permission {
  if (permission === undefined) return "unsupported";
  return permission === "default" ? "askable" : permission;
}
