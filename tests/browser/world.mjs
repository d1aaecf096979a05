// A Tributary of its own for a test: nats-server and all services as processes, by the `stage`
// program. It ends when its standard input is closed, so also when this process is gone.

import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";

const programs =
  process.env.TRIBUTARY_PROGRAMS ?? path.resolve(import.meta.dirname, "../../target/debug");

export class World {
  #stage;
  #answers;

  /** What `stage` has printed: relays, an account, a meeting that is shared. */
  description;

  /** Starts a world; `options` are the arguments of `stage`. */
  static async start(...options) {
    const world = new World();
    world.#stage = spawn(path.join(programs, "stage"), options, {
      stdio: ["pipe", "pipe", "inherit"],
    });
    world.#stage.on("error", (error) => {
      throw error;
    });
    const lines = createInterface({ input: world.#stage.stdout });
    world.#answers = lines[Symbol.asyncIterator]();
    world.description = await world.#answer();
    return world;
  }

  async #answer() {
    const { value, done } = await this.#answers.next();
    if (done) throw new Error("the stage has ended");
    const answer = JSON.parse(value);
    if (answer.error) throw new Error(answer.error);
    return answer;
  }

  /** Says something to the stage, such as `restart relay 0`, and waits until it is done. */
  async tell(command) {
    this.#stage.stdin.write(`${command}\n`);
    return this.#answer();
  }

  /** Ends everything. */
  async end() {
    const ended = once(this.#stage, "exit");
    this.#stage.stdin.end();
    await ended;
  }
}
