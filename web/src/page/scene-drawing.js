// Drawing a radiance field with WebGL 2: a coarse picture at once, finer ones while nothing moves.
//
// A picture is drawn into a texture, band by band, each as large as the GPU manages in a moment; the
// last finished texture, and of the next what is there, are shown.

import { CELLS } from "../cells.js";
import { TABLE_WIDTH, TEXTURE_WIDTH } from "./network-shader.js";
import { sceneShader, stepsOf } from "./scene-shader.js";

const MOMENT = 40; // milliseconds for a band, and for a picture that moves
const COARSEST = 16; // pixels along the edge of a block
const FIRST_BATCH = 2000; // pixels

const VERTEX = `#version 300 es
void main() { gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4. - 1., 0, 1); }`;

// Depth by the polynomial of Turbo, as in fieldlr's own pictures: the farthest is not black.
const SHOW = `#version 300 es
precision highp float;
uniform sampler2D done, next;
uniform vec2 size, range;
uniform float rows, unit;
uniform bool showsDepth;
out vec4 color;
void main() {
  vec2 at = gl_FragCoord.xy / size;
  bool isNew = at.y < rows;
  if (!showsDepth) {
    color = isNew ? texture(next, at) : texture(done, at);
    return;
  }
  vec4 packed = isNew ? texelFetch(next, ivec2(at * vec2(textureSize(next, 0))), 0)
    : texelFetch(done, ivec2(at * vec2(textureSize(done, 0))), 0);
  float near = packed.x + packed.y / 255., x = 1. / max(unit / max(near, 1e-5) - unit, 1e-9);
  x = .08 + .92 * clamp((x - range.x) / max(range.y - range.x, 1e-9), 0., 1.);
  vec4 v = vec4(1, x, x * x, x * x * x);
  vec2 w = v.zw * v.z;
  color = vec4(dot(v, vec4(.13572138, 4.61539260, -42.66032258, 132.13108234)) + dot(w, vec2(-152.94239396, 59.28637943)),
    dot(v, vec4(.09140261, 2.19418839, 4.84296658, -14.18503333)) + dot(w, vec2(4.27729857, 2.82956604)),
    dot(v, vec4(.10667330, 12.64194608, -60.58204836, 110.36276771)) + dot(w, vec2(-89.90310912, 27.34824973)), 1);
  color.rgb *= packed.z;
}`;

const UNITS = { table: 0, weights: 1, biases: 2, cells: 3, done: 4, next: 5 };
const SCALARS = ["RED", "RG", null, "RGBA"];

export class SceneDrawing {
  /**
   * Throws where the canvas has no WebGL 2, or none that can draw the field. A finer picture is not
   * begun where it would take more than `longest` milliseconds.
   */
  constructor(canvas, field, longest) {
    Object.assign(this, { canvas, field, longest, batch: FIRST_BATCH, range: [0, 1] });
    this.gl = canvas.getContext("webgl2", { antialias: false, alpha: false, depth: false });
    if (!this.gl) {
      throw new Error("This browser has no WebGL 2, so the field cannot be drawn. Use a current browser.");
    }
    this.prepare();
  }

  /** Makes everything on the GPU anew: at the start, and after it was lost. */
  prepare() {
    const { gl } = this;
    const shader = sceneShader(this.field, {
      blockBytes: gl.getParameter(gl.MAX_UNIFORM_BLOCK_SIZE),
      numBlocks: gl.getParameter(gl.MAX_FRAGMENT_UNIFORM_BLOCKS),
    });
    this.scene = this.program(shader.source);
    this.show = this.program(SHOW);
    for (const [name, unit] of Object.entries(UNITS)) {
      for (const program of [this.scene, this.show]) {
        gl.useProgram(program);
        gl.uniform1i(gl.getUniformLocation(program, name), unit);
      }
    }
    shader.blocks.forEach((floats, i) => {
      gl.uniformBlockBinding(this.scene, gl.getUniformBlockIndex(this.scene, `W${i}`), i);
      const buffer = gl.createBuffer();
      gl.bindBufferBase(gl.UNIFORM_BUFFER, i, buffer);
      gl.bufferData(gl.UNIFORM_BUFFER, Float32Array.from(floats), gl.STATIC_DRAW);
    });
    const { table, weights, biases, cells } = shader;
    if (table) this.numbers(UNITS.table, table.data, table.channels, TABLE_WIDTH, "16F");
    this.numbers(UNITS.weights, weights, 4, TEXTURE_WIDTH, "32F");
    this.numbers(UNITS.biases, biases, 4, TEXTURE_WIDTH, "32F");
    this.texture(UNITS.cells, gl.TEXTURE_3D);
    gl.texImage3D(gl.TEXTURE_3D, 0, gl.R8, CELLS, CELLS, CELLS, 0, gl.RED, gl.UNSIGNED_BYTE, cells);
    this.pictures = [null, null].map(() => ({ texture: gl.createTexture(), frame: gl.createFramebuffer() }));
    this.fence = null;
    this.picture = this.pose = null;
  }

  program(fragment) {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      const [, log] = gl.getAttachedShaders(program).map((shader) => gl.getShaderInfoLog(shader));
      throw new Error(`This GPU cannot draw the field. ${(log || gl.getProgramInfoLog(program)).slice(0, 200)}`);
    }
    return program;
  }

  texture(unit, target, texture = this.gl.createTexture(), filter = this.gl.NEAREST) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(target, texture);
    for (const name of ["MIN", "MAG"]) gl.texParameteri(target, gl[`TEXTURE_${name}_FILTER`], filter);
    for (const name of ["S", "T"]) gl.texParameteri(target, gl[`TEXTURE_WRAP_${name}`], gl.CLAMP_TO_EDGE);
  }

  /** Floats as texels of a texture, row by row. */
  numbers(unit, data, channels, width, size) {
    const { gl } = this;
    this.texture(unit, gl.TEXTURE_2D);
    const height = Math.max(1, Math.ceil(data.length / channels / width));
    const padded = new Float32Array(channels * width * height);
    padded.set(data);
    const format = SCALARS[channels - 1];
    const inside = gl[(channels === 1 ? "R" : format) + size];
    gl.texImage2D(gl.TEXTURE_2D, 0, inside, width, height, 0, gl[format], gl.FLOAT, padded);
  }

  /** `view` {pose, showsDepth, crop} is to be drawn from now on. */
  look(view) {
    this.wanted = view;
  }

  /** Does the next piece of work, and says whether there is more. */
  work() {
    const { gl, canvas } = this;
    if (gl.isContextLost()) return false;
    if (this.fence) {
      if (gl.getSyncParameter(this.fence, gl.SYNC_STATUS) !== gl.SIGNALED) return true;
      gl.deleteSync(this.fence);
      this.fence = null;
      this.finishBand();
    }
    const isNew = this.view !== this.wanted || this.isStale;
    // A coarse picture is finished even while the view moves, so that there is always one to see.
    if (isNew && !(this.picture && this.picture.isFirst)) this.begin(this.coarsest(), true);
    else if (!this.picture && this.stride > 1 && this.isWorthIt()) this.begin(this.stride >> 1, false);
    if (this.picture) this.drawBand();
    if (!this.shown) return true;
    this.present();
    return !!this.picture;
  }

  /** Whether the next finer picture is done in time: without a GPU it may take minutes. */
  isWorthIt() {
    const [width, height] = this.size;
    const finer = this.stride >> 1;
    const { coarse, fine } = stepsOf(this.field);
    const times = finer === 1 ? fine / coarse : 1;
    return ((times * width * height) / finer ** 2 / this.batch) * MOMENT < this.longest;
  }

  /** How much of the picture at rest is done, 0 to 1. */
  get progress() {
    const { picture } = this;
    return picture ? (0.25 + (0.75 * picture.rows) / picture.height) / picture.stride ** 2 : 1;
  }

  get isStale() {
    return this.size?.[0] !== this.canvas.width || this.size?.[1] !== this.canvas.height;
  }

  /** The smallest blocks with which a picture is drawn in a moment. */
  coarsest() {
    let stride = 1;
    const pixels = this.canvas.width * this.canvas.height;
    while (stride < COARSEST && pixels / stride ** 2 > this.batch) stride *= 2;
    return stride;
  }

  begin(stride, isFirst) {
    const { gl, canvas } = this;
    if (isFirst) {
      this.view = this.wanted;
      this.size = [canvas.width, canvas.height];
    }
    const [target] = this.pictures;
    const [width, height] = this.size.map((n) => Math.ceil(n / stride));
    this.texture(UNITS.next, gl.TEXTURE_2D, target.texture, gl.LINEAR);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
    gl.bindFramebuffer(gl.FRAMEBUFFER, target.frame);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, target.texture, 0);
    this.picture = { stride, isFirst, width, height, rows: 0, view: this.view };
  }

  drawBand() {
    const { gl, picture, field } = this;
    const { width, height, rows, view, stride } = picture;
    const { coarse, fine } = stepsOf(field);
    picture.band = Math.min(height - rows, Math.max(1, Math.round(this.batch / width)));
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.pictures[0].frame);
    gl.useProgram(this.scene);
    const set = (name, kind, ...values) =>
      gl[`uniform${kind}`](gl.getUniformLocation(this.scene, name), ...values);
    for (const name of ["eye", "right", "up", "back", "lens"]) {
      set(name, name === "lens" ? "4fv" : "3fv", view.pose[name]);
    }
    set("background", "3fv", field.about.background);
    set("crop", "4fv", view.crop);
    set("raster", "2f", width, height);
    set("showsDepth", "1i", view.showsDepth);
    set("unit", "1f", view.pose.unit);
    set("steps", "1i", stride === 1 ? fine : coarse);
    gl.viewport(0, 0, width, height);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(0, rows, width, picture.band);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.disable(gl.SCISSOR_TEST);
    this.fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    this.began = performance.now();
  }

  finishBand() {
    const { picture } = this;
    const took = performance.now() - this.began;
    this.batch = Math.max(64, this.batch * Math.min(Math.max(MOMENT / took, 0.25), 2));
    picture.rows += picture.band;
    if (picture.rows < picture.height) return;
    this.pictures.reverse();
    if (picture.isFirst && picture.view.showsDepth) this.measureRange(picture);
    this.shown = picture;
    this.stride = picture.stride;
    this.picture = null;
  }

  /** From the middle 98 % of how near what is seen is, 1 / distance. */
  measureRange({ width, height, view }) {
    const { gl } = this;
    const pixels = new Uint8Array(4 * width * height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.pictures[1].frame);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    const near = [];
    for (let i = 0; i < pixels.length; i += 4) {
      const share = pixels[i] / 255 + pixels[i + 1] / 65025;
      if (pixels[i + 2] && share < 1) near.push(share / (1 - share) / view.pose.unit);
    }
    near.sort((a, b) => a - b);
    if (near.length) this.range = [0.01, 0.99].map((part) => near[Math.round(part * (near.length - 1))]);
  }

  present() {
    const { gl, picture, shown, canvas } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.useProgram(this.show);
    const set = (name, kind, ...values) =>
      gl[`uniform${kind}`](gl.getUniformLocation(this.show, name), ...values);
    const [next, done] = this.pictures;
    const hasNext = picture && !picture.isFirst;
    this.texture(UNITS.done, gl.TEXTURE_2D, done.texture, gl.LINEAR);
    this.texture(UNITS.next, gl.TEXTURE_2D, hasNext ? next.texture : done.texture, gl.LINEAR);
    set("size", "2f", canvas.width, canvas.height);
    set("rows", "1f", hasNext ? picture.rows / picture.height : 0);
    set("range", "2fv", this.range);
    set("unit", "1f", shown.view.pose.unit);
    set("showsDepth", "1i", shown.view.showsDepth);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}
