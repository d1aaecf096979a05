// What the screens work with.

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { AttachmentStore } from "../attachments/store";
import type { AttendanceReports } from "../attendance/reports";
import type { Link } from "../media/link";
import type { Microphone } from "../media/microphone";
import type { Playback } from "../media/playback";
import type { Mini } from "../mini/mini";
import type { NameFinder } from "../members/finder";
import type { NameBook } from "../members/names";
import type { SystemNotifier } from "../notices/system";
import type { Desk } from "../session/desk";
import type { Session } from "../session/session";
import type { TabMemory } from "../session/tab";
import type { Navigation } from "./navigation";

export interface Services {
  readonly session: Session;
  readonly desk: Desk;
  readonly attachments: AttachmentStore;
  readonly reports: AttendanceReports;
  readonly notifier: SystemNotifier;
  readonly names: NameBook;
  readonly finder: NameFinder;
  readonly memory: TabMemory;
  readonly mini: Mini;
  readonly navigation: Navigation;
  readonly microphone: Microphone;
  readonly playback: Playback;
  readonly link: Link;
}

const Context = createContext<Services | undefined>(undefined);

export const ServicesProvider = Context.Provider;

export function useServices(): Services {
  const services = useContext(Context);
  if (services === undefined) throw new Error("rendered outside ServicesProvider");
  return services;
}
