// The terminal protocol over a WebSocket: the way to the core that the page came from.

import type { Transport } from "./transport";

/** The part of a WebSocket that is used. */
export type Socket = Pick<
  WebSocket,
  "binaryType" | "send" | "close" | "onmessage" | "onclose" | "onerror"
>;

export class WebSocketTransport implements Transport {
  readonly reach = "core";
  onmessage: Transport["onmessage"] = null;
  onclose: Transport["onclose"] = null;

  constructor(private readonly socket: Socket) {
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => this.onmessage?.(data);
    socket.onclose = ({ code }) => this.end(`code ${code}`);
    socket.onerror = () => this.end("socket error");
  }

  send(message: Uint8Array<ArrayBuffer>): void {
    this.socket.send(message);
  }

  close(): void {
    this.letGo();
    this.socket.close();
  }

  private end(detail: string): void {
    this.letGo();
    this.onclose?.(detail);
  }

  private letGo(): void {
    this.socket.onmessage = this.socket.onclose = this.socket.onerror = null;
  }
}
