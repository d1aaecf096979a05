// A line between a browser and its relay that can be cut: pages, requests and the WebSocket go through
// it, audio does not.

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Line {
  #server;
  #target;
  #pairs = new Set();
  #state = "whole";

  /** The address at which the relay is reached by this line. */
  url;

  static async to(url) {
    const line = new Line();
    line.#target = new URL(url);
    line.#server = createServer((socket) => line.#carry(socket)).listen(0, "127.0.0.1");
    await once(line.#server, "listening");
    line.url = `http://127.0.0.1:${line.#server.address().port}`;
    return line;
  }

  #carry(near) {
    if (this.#state === "cut") return near.destroy();
    const far = connect(Number(this.#target.port), this.#target.hostname);
    const pair = [near, far];
    this.#pairs.add(pair);
    for (const [from, to] of [pair, [far, near]]) {
      // Not a pipe, which would carry on by itself while nothing is to come through.
      from.on("data", (data) => this.#state === "whole" && to.write(data));
      from.on("error", () => {});
      from.on("close", () => {
        this.#pairs.delete(pair);
        to.destroy();
      });
    }
  }

  /** Nothing comes through any more, and nobody is told so: what is sent is lost. */
  silence() {
    this.#state = "silent";
  }

  /** The line is broken: connections end, and new ones too. */
  cut() {
    this.#state = "cut";
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** As before; what had gone through it meanwhile is not there again. */
  mend() {
    this.cut();
    this.#state = "whole";
  }

  close() {
    this.cut();
    this.#server.close();
  }
}
