// Drawing a mesh with WebGL 2: light that shows relief, a section plane, wireframe, and picking.

const VERTEX = `#version 300 es
uniform mat4 matrix;
uniform float nearer;
in vec3 place, direction;
out vec3 at, normal;
void main() {
  at = place;
  normal = direction;
  gl_Position = matrix * vec4(place, 1);
  gl_Position.z -= nearer * gl_Position.w;
}`;

// The light is that of fieldlr's own pictures: from above, from the left of the camera, from it.
const FRAGMENT = `#version 300 es
precision highp float;
uniform vec4 section;
uniform vec3 eye, key, sky, cut;
uniform int mode;
uniform vec4 ink;
in vec3 at, normal;
out vec4 color;
void main() {
  if (dot(section.xyz, at) > section.w) discard;
  if (mode == 1) {
    // The depth in three bytes.
    vec3 z = fract(gl_FragCoord.z * vec3(1, 255, 65025));
    color = vec4(z - z.yzz * vec3(1. / 255., 1. / 255., 0), 1);
    return;
  }
  if (mode == 2) {
    color = ink;
    return;
  }
  if (!gl_FrontFacing && section.xyz != vec3(0)) {
    // Behind the section the inside is seen: it is drawn as the cut.
    float stripe = step(.5, fract((gl_FragCoord.x + gl_FragCoord.y) / 12.));
    color = vec4(cut * (.88 + .12 * stripe), 1);
    return;
  }
  vec3 flatNormal = normalize(cross(dFdx(at), dFdy(at)));
  vec3 n = normalize(normal);
  if (dot(n, flatNormal) < .7) n = flatNormal;
  vec3 view = normalize(eye - at);
  if (dot(flatNormal, view) < 0.) n = -n;
  float light = .06 + .22 * (.5 + .5 * dot(n, sky)) + .7 * max(dot(n, key), 0.) + .16 * max(dot(n, view), 0.);
  color = vec4(pow(vec3(.68, .664, .629) * light, vec3(1. / 2.2)), 1);
}`;

const KEY_IN_CAMERA = [-0.55, 0.6, 0.58];
const CUT = [0.87, 0.42, 0.28];
const LINES_NEARER = 4e-4; // in depth, so that the edges are not half inside the faces

export class Drawing {
  /** Throws where the canvas has no WebGL 2. */
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext("webgl2", { antialias: true, alpha: true });
    if (!this.gl) {
      throw new Error("This browser has no WebGL 2, so the field cannot be drawn. Use a current browser.");
    }
    this.prepare();
  }

  /** Makes everything on the GPU anew: at the start, and after it was lost. */
  prepare() {
    const { gl } = this;
    this.program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
    }
    ["place", "direction"].forEach((name, i) => gl.bindAttribLocation(this.program, i, name));
    gl.linkProgram(this.program);
    gl.useProgram(this.program);
    gl.enable(gl.DEPTH_TEST);
    this.buffers = [0, 1, 2, 3].map(() => gl.createBuffer());
    if (this.mesh) this.show(this.mesh);
  }

  uniform(name, kind, ...values) {
    this.gl[`uniform${kind}`](this.gl.getUniformLocation(this.program, name), ...values);
  }

  show(mesh) {
    const { gl } = this;
    this.mesh = mesh;
    [mesh.vertices, mesh.normals].forEach((data, i) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[i]);
      gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
      gl.enableVertexAttribArray(i);
      gl.vertexAttribPointer(i, 3, gl.FLOAT, false, 0, 0);
    });
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffers[2]);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, mesh.faces, gl.STATIC_DRAW);
    this.lines = 0;
  }

  /** The edges of the mesh, each once: of two faces the one that runs upward. */
  bindLines() {
    const { gl, mesh } = this;
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffers[3]);
    if (this.lines) return;
    const lines = new Uint32Array(mesh.faces.length);
    for (let i = 0; i < mesh.faces.length; i++) {
      const [a, b] = [mesh.faces[i], mesh.faces[i % 3 < 2 ? i + 1 : i - 2]];
      if (a < b) {
        lines[this.lines++] = a;
        lines[this.lines++] = b;
      }
    }
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, lines.subarray(0, this.lines), gl.STATIC_DRAW);
  }

  /** `section` is [x, y, z, w]: what lies beyond x, y, z . p = w is left out. */
  draw(camera, { section, wireframe }) {
    const { gl, canvas } = this;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    if (!this.mesh) return;
    const size = Math.hypot(...KEY_IN_CAMERA);
    const { right, up, back } = camera;
    const key = right.map(
      (r, k) => (KEY_IN_CAMERA[0] * r + KEY_IN_CAMERA[1] * up[k] + KEY_IN_CAMERA[2] * back[k]) / size,
    );
    this.uniform("matrix", "Matrix4fv", false, camera.matrix);
    this.uniform("section", "4fv", section);
    this.uniform("eye", "3fv", camera.eye);
    this.uniform("key", "3fv", key);
    this.uniform("sky", "3fv", camera.oriented([0, 0, 1]));
    this.uniform("cut", "3fv", CUT);
    this.faces(0);
    if (wireframe) {
      this.bindLines();
      this.uniform("mode", "1i", 2);
      this.uniform("ink", "4f", 0.1, 0.16, 0.25, 1);
      this.uniform("nearer", "1f", LINES_NEARER);
      gl.drawElements(gl.LINES, this.lines, gl.UNSIGNED_INT, 0);
    }
  }

  faces(mode) {
    const { gl } = this;
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffers[2]);
    this.uniform("nearer", "1f", 0);
    this.uniform("mode", "1i", mode);
    gl.drawElements(gl.TRIANGLES, this.mesh.faces.length, gl.UNSIGNED_INT, 0);
  }

  /** The point of the surface at (x, y), in -1 to 1; null beside it. */
  pick(camera, options, x, y) {
    const { gl, canvas } = this;
    if (!this.mesh) return null;
    this.draw(camera, options);
    const at = [x, y].map((v, k) => Math.round(((v + 1) / 2) * [canvas.width, canvas.height][k] - 0.5));
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(...at, 1, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    this.faces(1);
    const pixel = new Uint8Array(4);
    gl.readPixels(...at, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
    gl.disable(gl.SCISSOR_TEST);
    this.draw(camera, options);
    const depth = pixel[0] / 255 + pixel[1] / 65025 + pixel[2] / 16581375;
    return pixel[3] ? camera.unproject(x, y, 2 * depth - 1) : null;
  }
}
