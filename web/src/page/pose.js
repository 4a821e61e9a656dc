// The camera of a scene of photos: it begins at one of theirs and turns about what they look at, no
// further than they stand (fieldlr/rendering/standpoints.py).

const STEEPEST = (85 * Math.PI) / 180;
const WIDEST_GAP = (120 * Math.PI) / 180; // between neighbours of cameras that stand all around
const AHEAD = 0.9; // share of the cameras that must have the focus in front
const MARGIN = 0.25; // of the range of the cameras
const [LEAST_ZOOM, MOST_ZOOM] = [0.5, 20];

export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const plus = (a, b, factor = 1) => a.map((x, k) => x + factor * b[k]);
const cross = (a, b) => [0, 1, 2].map((k) => a[(k + 1) % 3] * b[(k + 2) % 3] - a[(k + 2) % 3] * b[(k + 1) % 3]);
const unit = (a) => a.map((x) => x / Math.hypot(...a));
const clamp = (x, [low, high]) => Math.min(Math.max(x, low), high);

/** {depth, place} of a point: how far it is in front of a view, and where in pixels. */
export function projected(point, { eye, right, up, back, lens }, { clientWidth, clientHeight }) {
  const offset = plus(point, eye, -1);
  const depth = -dot(offset, back);
  const [x, y] = [right, up].map((axis, k) => lens[2 + k] + (lens[k] * dot(offset, axis)) / depth);
  return { depth, place: [x * clientWidth, (1 - y) * clientHeight] };
}

/** v turned by an angle about a unit axis. */
function rotated(v, axis, angle) {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const [across, along] = [cross(axis, v), dot(axis, v) * (1 - c)];
  return v.map((x, k) => c * x + s * across[k] + along * axis[k]);
}

/** The axes {right, up, back} of a camera with a rotation (w, x, y, z) to the field's frame. */
function axesOf([w, x, y, z]) {
  return {
    right: [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)],
    up: [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)],
    back: [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)],
  };
}

/** The point nearest to the axes of the views, held a little to their middle. */
function focusOf(views) {
  const [rows, values] = [[[], [], []], [0, 0, 0]];
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) rows[i][j] = i === j ? 1e-4 * views.length : 0;
  }
  for (const { eye, back } of views) {
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        const part = (i === j ? 1 : 0) - back[i] * back[j];
        rows[i][j] += part;
        values[i] += (part + (i === j ? 1e-4 : 0)) * eye[j];
      }
    }
  }
  // The matrix is symmetric: its columns are its rows.
  const [a, b, c] = rows;
  const determinant = dot(a, cross(b, c));
  return [dot(values, cross(b, c)), dot(values, cross(c, a)), dot(values, cross(a, b))].map((x) => x / determinant);
}

/** A camera that sees all of a box from the side, for files without any. */
function outside({ low, high }) {
  const center = low.map((a, k) => (a + high[k]) / 2);
  const radius = Math.hypot(...low.map((a, k) => high[k] - a)) / 2;
  const back = unit([-0.8, -1.4, 0.6]);
  const right = unit(cross([0, 0, 1], back));
  const eye = plus(center, back, 3 * radius);
  return { eye, right, up: cross(back, right), back, size: [1, 1], lens: [1.4, 1.4, 0.5, 0.5] };
}

export class PoseCamera {
  /** Of a space and the cameras of a file, in the field's frame. */
  constructor(space, cameras) {
    this.views = cameras.map(({ position: eye, quaternion, size, intrinsics }) => ({
      eye,
      ...axesOf(quaternion),
      size,
      // Focal lengths and principal point in widths and heights, from below.
      lens: intrinsics.map((x, k) => (k === 3 ? 1 - x / size[1] : x / size[k % 2])),
    }));
    if (!cameras.length) this.views.push(outside(space));
    this.upward = space.kind === "ndc" ? [0, 1, 0] : [0, 0, 1];
    this.focus = cameras.length ? focusOf(this.views) : this.views[0].eye.map((_, k) => (space.low[k] + space.high[k]) / 2);
    this.depths = this.views.map(({ eye, back }) => dot(plus(eye, this.focus, -1), back));
    this.walks = this.depths.filter((depth) => depth > 0).length < AHEAD * this.views.length;
    this.aspect = 1;
    this.jump(this.home);
  }

  /**
   * The view to begin with: of cameras all around the one at their median height and distance, of
   * others the one that is nearest to all in place and direction.
   */
  get home() {
    const { views } = this;
    const offsets = views.map(({ eye }) => plus(eye, this.focus, -1));
    const isAround = this.isAround(offsets);
    const apart = (a, b) => Math.hypot(...plus(a, b, -1));
    const spread = Math.max(...views.map((a) => apart(a.eye, views[0].eye))) || 1;
    const [height, distance] = [
      offsets.map((v) => this.angles(v)[1]),
      offsets.map((v) => Math.log(Math.hypot(...v))),
    ];
    const median = (all) => [...all].sort((a, b) => a - b)[all.length >> 1];
    const middle = [median(height), median(distance)];
    const costs = views.map((a, i) =>
      isAround
        ? Math.abs(height[i] - middle[0]) + Math.abs(distance[i] - middle[1])
        : views.reduce((sum, b) => sum + apart(a.eye, b.eye) / spread + apart(a.back, b.back), 0),
    );
    return costs.indexOf(Math.min(...costs));
  }

  /** Whether cameras at these offsets stand all around. */
  isAround(offsets) {
    const around = offsets.map((v) => this.angles(v)[0]).sort((a, b) => a - b);
    const gaps = around.map((a, i) => (i ? a - around[i - 1] : a - around.at(-1) + 2 * Math.PI));
    return !this.walks && gaps.length > 1 && Math.max(...gaps) <= WIDEST_GAP;
  }

  jump(index) {
    this.index = index;
    const { eye, back } = this.views[index];
    this.distance = this.walks ? 0 : Math.max(this.depths[index], 0);
    this.target = plus(eye, back, -this.distance);
    Object.assign(this, { yaw: 0, pitch: 0, zoom: 1, shift: [0, 0, 0] });
    this.limits = this.turningLimits();
  }

  reset() {
    this.jump(this.index);
  }

  /** Whether the view is just that of the camera at which it began. */
  get isUnmoved() {
    return !this.yaw && !this.pitch && this.zoom === 1 && !this.shift.some(Boolean);
  }

  /** [azimuth, elevation] of a direction. */
  angles(v) {
    const [x, y, z] = this.upward[1] ? [v[0], -v[2], v[1]] : v;
    return [Math.atan2(y, x), Math.asin(clamp(z / Math.hypot(x, y, z), [-1, 1]))];
  }

  /** [[least, most] to the right, [least, most] upwards] from the view that it began with. */
  turningLimits() {
    const own = this.angles(this.views[this.index].back)[1];
    const steep = [Math.min(0, -STEEPEST - own), Math.max(0, STEEPEST - own)];
    const free = [-Infinity, Infinity];
    if (this.walks || this.views.length < 2) return [free, steep];
    const offsets = this.views.map(({ eye }) => plus(eye, this.target, -1));
    const at = offsets.map((v) => this.angles(v));
    const [azimuth, elevation] = at[this.index];
    const widened = (angles) => {
      const [low, high] = [Math.min(...angles), Math.max(...angles)];
      return [low - MARGIN * (high - low), high + MARGIN * (high - low)];
    };
    const up = widened(at.map((a) => a[1] - elevation)).map((x) => clamp(x, steep));
    if (this.isAround(offsets)) return [free, up];
    const turn = (a) => a - 2 * Math.PI * Math.round(a / (2 * Math.PI));
    return [widened(at.map((a) => turn(a[0] - azimuth))), up];
  }

  turn(yaw, pitch) {
    this.yaw = clamp(this.yaw + yaw, this.limits[0]);
    this.pitch = clamp(this.pitch + pitch, this.limits[1]);
  }

  magnify(factor) {
    this.zoom = clamp(this.zoom * factor, [LEAST_ZOOM, MOST_ZOOM]);
  }

  /** Moves the view aside by parts of its shorter side. */
  pan(x, y) {
    const { right, up, lens } = this.pose;
    const size = (this.distance || this.unit) / Math.max(...lens.slice(0, 2));
    this.shift = this.shift.map((s, k) => s - size * (x * right[k] + y * up[k]));
  }

  /** A length in which depths are told. */
  get unit() {
    return this.distance || Math.max(...this.depths.map(Math.abs), 1e-6);
  }

  /** How many times as wide and as high as the photo of its camera the canvas is. */
  get margins() {
    const { size } = this.views[this.index];
    const fit = this.aspect / (size[0] / size[1]);
    return [Math.max(fit, 1), Math.max(1 / fit, 1)];
  }

  /** Where it stands, its axes and its lens, in widths and heights of a canvas that shows all. */
  get pose() {
    const view = this.views[this.index];
    const turned = (v) => rotated(rotated(v, view.right, -this.pitch), this.upward, this.yaw);
    const scale = this.margins;
    return {
      eye: plus(plus(this.target, turned(plus(view.eye, this.target, -1))), this.shift),
      right: turned(view.right),
      up: turned(view.up),
      back: turned(view.back),
      lens: view.lens.map((x, k) =>
        k < 2 ? (x * this.zoom) / scale[k] : 0.5 + (x - 0.5) / scale[k - 2],
      ),
      unit: this.unit,
    };
  }
}
