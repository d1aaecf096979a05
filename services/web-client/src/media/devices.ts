// The microphones and speakers that the browser offers, and why it may offer none.

export interface Device {
  readonly id: string;
  /** Empty until the browser lets the page know it. */
  readonly label: string;
}

export type MicrophoneStatus =
  | "off"
  | "starting"
  | "live"
  /** The person or the system does not allow it. */
  | "denied"
  /** There is none. */
  | "missing"
  /** Another program has it. */
  | "busy"
  /** The page came over plain http. */
  | "insecure";

export async function listDevices(kind: "audioinput" | "audiooutput"): Promise<Device[]> {
  if (navigator.mediaDevices === undefined) return [];
  const all = await navigator.mediaDevices.enumerateDevices();
  return all
    .filter((device) => device.kind === kind && device.deviceId !== "")
    .map((device) => ({ id: device.deviceId, label: device.label }));
}

export function statusAfter(failure: unknown): MicrophoneStatus {
  const name = failure instanceof DOMException ? failure.name : "";
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return "denied";
    case "NotFoundError":
    case "OverconstrainedError":
      return "missing";
    default:
      return "busy";
  }
}
