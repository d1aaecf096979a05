// What the screens work with.

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Link } from "../media/link";
import type { Microphone } from "../media/microphone";
import type { Playback } from "../media/playback";
import type { Session } from "../session/session";

export interface Services {
  readonly session: Session;
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
