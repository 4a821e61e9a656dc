// An orbiting camera: yaw and pitch about a target and an axis that is up, and its matrix for WebGL.

// Half of the field of view along the shorter side, and where a view begins: as fieldlr renders.
const HALF_FIELD = Math.asin(1 / 3);
const [YAW, PITCH] = [-Math.PI / 3, Math.PI / 9];
const STEEPEST = 1.5;

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

export class Camera {
  /** Looks at a box {low, high}. */
  constructor({ low, high }) {
    this.center = low.map((a, k) => (a + high[k]) / 2);
    this.radius = Math.hypot(...low.map((a, k) => high[k] - a)) / 2;
    this.aspect = 1;
    this.upright = 2; // the axis that is up: z
    this.flown = null; // a view {eye, right, up, back} in place of its own, while a path is played
    this.reset();
  }

  reset() {
    this.yaw = YAW;
    this.pitch = PITCH;
    this.zoom = 1;
    this.turned = 0;
    this.target = [...this.center];
  }

  /** A direction with +Z up, by cyclic exchange of the axes, with another axis up. */
  oriented(direction) {
    return [0, 1, 2].map((k) => direction[(k + 2 - this.upright) % 3]);
  }

  turn(yaw, pitch) {
    this.yaw += yaw;
    this.turned += yaw;
    this.pitch = Math.max(-STEEPEST, Math.min(STEEPEST, this.pitch + pitch));
  }

  magnify(factor) {
    this.zoom = Math.max(0.2, Math.min(100, this.zoom * factor));
  }

  /** Moves the target by parts of the shorter side of the view. */
  pan(x, y) {
    const size = 2 * this.distance * Math.tan(HALF_FIELD);
    this.target = this.target.map((t, k) => t - size * (x * this.right[k] + y * this.up[k]));
  }

  get distance() {
    return this.radius / Math.sin(HALF_FIELD) / this.zoom;
  }

  get back() {
    if (this.flown) return this.flown.back;
    const { yaw, pitch } = this;
    const level = Math.cos(pitch);
    return this.oriented([level * Math.cos(yaw), level * Math.sin(yaw), Math.sin(pitch)]);
  }

  get right() {
    if (this.flown) return this.flown.right;
    return this.oriented([-Math.sin(this.yaw), Math.cos(this.yaw), 0]);
  }

  get up() {
    if (this.flown) return this.flown.up;
    const { yaw, pitch } = this;
    const slope = -Math.sin(pitch);
    return this.oriented([slope * Math.cos(yaw), slope * Math.sin(yaw), Math.cos(pitch)]);
  }

  get eye() {
    if (this.flown) return this.flown.eye;
    return this.target.map((t, k) => t + this.distance * this.back[k]);
  }

  /** Distances in front of the camera between which the box lies. */
  get planes() {
    const middle = dot(this.eye.map((e, k) => e - this.center[k]), this.back);
    const far = Math.max(middle + 1.1 * this.radius, 1e-3 * this.radius);
    return [Math.max(middle - 1.1 * this.radius, far / 3000), far];
  }

  /** The view on show, with its vertical angle. */
  get view() {
    const { eye, right, up, back } = this;
    return { eye, right, up, back, angle: 2 * Math.atan(1 / this.scales[1]) };
  }

  /** [x, y] of clip space per tangent of the angle from the axis. */
  get scales() {
    const scale = 1 / Math.tan(HALF_FIELD);
    return [scale / Math.max(this.aspect, 1), scale * Math.min(this.aspect, 1)];
  }

  /** World to clip space, column by column; a distance w has the depth a - b / w. */
  get matrix() {
    const { eye, right, up, back } = this;
    const [[near, far], [sx, sy]] = [this.planes, this.scales];
    const a = (far + near) / (far - near);
    const rows = [
      [...right.map((r) => sx * r), -sx * dot(right, eye)],
      [...up.map((u) => sy * u), -sy * dot(up, eye)],
      [...back.map((b) => -a * b), a * dot(back, eye) - (2 * far * near) / (far - near)],
      [...back.map((b) => -b), dot(back, eye)],
    ];
    return Float32Array.from({ length: 16 }, (_, i) => rows[i % 4][i >> 2]);
  }

  /** Where a point is drawn, [x, y] in -1 to 1; null behind the camera. */
  project(point) {
    const offset = point.map((p, k) => p - this.eye[k]);
    const distance = -dot(offset, this.back);
    const [sx, sy] = this.scales;
    if (distance <= 0) return null;
    return [(sx * dot(offset, this.right)) / distance, (sy * dot(offset, this.up)) / distance];
  }

  /** The point that is drawn at (x, y) with this depth, all in -1 to 1. */
  unproject(x, y, depth) {
    const [[near, far], [sx, sy]] = [this.planes, this.scales];
    const distance = (2 * far * near) / (far - near) / ((far + near) / (far - near) - depth);
    const { eye, right, up, back } = this;
    return eye.map((e, k) => e + distance * ((x / sx) * right[k] + (y / sy) * up[k] - back[k]));
  }
}
