// Meshes of a shape, coarse to fine: here, or by workers that share the evaluation.

import { decode } from "../field.js";
import { toUser } from "../spaces.js";
import { measured, Surface } from "../surface.js";

const CHUNK = 4096; // points that a worker evaluates at a time

class Stale extends Error {}

export class Mesher {
  /** `ports` lead to workers that evaluate the same field; `post` takes messages. */
  constructor(bytes, ports, post) {
    this.field = decode(bytes);
    this.post = post;
    this.request = 0;
    this.idle = ports.map((port) => (points) =>
      new Promise((resolve) => {
        port.onmessage = ({ data }) => resolve(data);
        port.postMessage(points);
      }),
    );
    // Without workers it is done here, with pauses in which a page can react.
    if (!ports.length) {
      this.idle = [(points) => new Promise((go) => setTimeout(go)).then(() => this.field.level(points))];
    }
  }

  /**
   * Posts {progress}, then meshes of what is in a box, closed there, the last one with `isLast`; a
   * later call ends an earlier one.
   */
  async show({ level, resolution, box }) {
    const request = ++this.request;
    const evaluate = (points) => this.evaluate(points, request);
    const part = JSON.stringify(box);
    if (part !== this.part) Object.assign(this, { part, surfaces: {} });
    const surface = (this.surfaces[resolution] ??= new Surface(null, box, resolution));
    surface.evaluate = evaluate;
    try {
      await this.running; // two at a time would share the levels of one surface
      this.running = this.postMeshes(surface, level, request);
      await this.running;
    } catch (error) {
      if (!(error instanceof Stale)) this.post({ error: error.message });
    }
  }

  async postMeshes(surface, level, request) {
    try {
      for await (const { vertices, faces, stride } of surface.meshes(level)) {
        toUser(vertices, this.field.frame);
        const normals = normalsOf(vertices, faces);
        const sizes = measured({ vertices, faces });
        if (request !== this.request) return;
        this.post({ vertices, faces, normals, ...sizes, isLast: stride === 1 });
      }
    } catch (error) {
      if (!(error instanceof Stale)) throw error;
    }
  }

  /** Levels at points, chunk by chunk, by whoever is idle. */
  async evaluate(points, request) {
    const total = points.length / 3;
    const values = new Float32Array(total);
    let next = 0;
    let done = 0;
    const work = async (own) => {
      while (next < total) {
        if (request !== this.request) throw new Stale();
        const first = next;
        next += CHUNK;
        values.set(await own(points.slice(3 * first, 3 * (first + CHUNK))), first);
        this.post({ progress: (done += CHUNK) / total });
      }
    };
    await Promise.all(this.idle.map(work));
    return values;
  }
}

/** Area-weighted normals at the vertices. */
function normalsOf(vertices, faces) {
  const normals = new Float32Array(vertices.length);
  for (let i = 0; i < faces.length; i += 3) {
    const [a, b, c] = [3 * faces[i], 3 * faces[i + 1], 3 * faces[i + 2]];
    const edge = (from, to, k) => vertices[to + k] - vertices[from + k];
    for (let k = 0; k < 3; k++) {
      const [u, v] = [(k + 1) % 3, (k + 2) % 3];
      const n = edge(a, b, u) * edge(a, c, v) - edge(a, b, v) * edge(a, c, u);
      normals[a + k] += n;
      normals[b + k] += n;
      normals[c + k] += n;
    }
  }
  return normals;
}

/** What a worker does: {bytes, port} makes it evaluate, {bytes, ports} makes it a mesher. */
export function serve() {
  let mesher;
  onmessage = ({ data }) => {
    if (data.port) {
      const field = decode(data.bytes);
      data.port.onmessage = (message) => data.port.postMessage(field.level(message.data));
    } else if (data.ports) {
      mesher = new Mesher(data.bytes, data.ports, (message) => postMessage(message));
    } else mesher.show(data);
  };
}

/** A mesher in workers, or here where workers cannot be started: {show, end}. */
export function startMesher(bytes, script, post) {
  const workers = [];
  const start = () => {
    const worker = new Worker(script);
    workers.push(worker);
    return worker;
  };
  const end = () => workers.forEach((worker) => worker.terminate());
  try {
    const count = Math.min(Math.max((navigator.hardwareConcurrency ?? 2) - 1, 1), 8);
    const ports = Array.from({ length: count }, () => {
      const { port1, port2 } = new MessageChannel();
      start().postMessage({ bytes, port: port1 }, [port1]);
      return port2;
    });
    const main = start();
    main.postMessage({ bytes, ports }, ports);
    main.onmessage = ({ data }) => post(data);
    return { show: (what) => main.postMessage(what), end };
  } catch {
    end();
    const mesher = new Mesher(bytes, [], post);
    return { show: (what) => mesher.show(what), end: () => mesher.request++ };
  }
}
