// Meshes as files: STL and PLY in the user's frame, GLB with +Y up as its format demands.

const text = (string) => new TextEncoder().encode(string);

function stl({ vertices, faces }) {
  const view = new DataView(new ArrayBuffer(84 + (50 * faces.length) / 3));
  view.setUint32(80, faces.length / 3, true);
  for (let i = 0, at = 84; i < faces.length; i += 3, at += 50) {
    const corners = [0, 1, 2].map((c) => vertices.subarray(3 * faces[i + c], 3 * faces[i + c] + 3));
    const [u, v] = [1, 2].map((c) => corners[c].map((x, k) => x - corners[0][k]));
    const normal = [0, 1, 2].map((k) => u[(k + 1) % 3] * v[(k + 2) % 3] - u[(k + 2) % 3] * v[(k + 1) % 3]);
    const size = Math.hypot(...normal) || 1;
    [...normal.map((x) => x / size), ...corners.flatMap((corner) => [...corner])].forEach((x, k) =>
      view.setFloat32(at + 4 * k, x, true),
    );
  }
  return [view];
}

function ply({ vertices, faces }) {
  const axes = ["x", "y", "z"].map((k) => `property float ${k}\n`).join("");
  const head = `ply\nformat binary_little_endian 1.0\nelement vertex ${vertices.length / 3}\n${axes}element face ${
    faces.length / 3
  }\nproperty list uchar int vertex_indices\nend_header\n`;
  const view = new DataView(new ArrayBuffer((13 * faces.length) / 3));
  faces.forEach((vertex, i) => {
    const at = 13 * Math.floor(i / 3);
    view.setUint8(at, 3);
    view.setUint32(at + 1 + 4 * (i % 3), vertex, true);
  });
  return [text(head), vertices, view];
}

function glb({ vertices, faces, normals }) {
  const [places, directions] = [vertices, normals].map((all) =>
    all.map((_, i) => (i % 3 === 0 ? all[i] : i % 3 === 1 ? all[i + 1] : -all[i - 1])),
  );
  for (let i = 0; i < directions.length; i += 3) {
    const size = Math.hypot(...directions.subarray(i, i + 3)) || 1;
    for (let k = 0; k < 3; k++) directions[i + k] /= size;
  }
  const [low, high] = [[Infinity, Infinity, Infinity], [-Infinity, -Infinity, -Infinity]];
  places.forEach((x, i) => {
    low[i % 3] = Math.min(low[i % 3], x);
    high[i % 3] = Math.max(high[i % 3], x);
  });
  const count = vertices.length / 3;
  const parts = [places, directions, faces];
  let byteOffset = 0;
  const bufferViews = parts.map(({ byteLength }) => {
    byteOffset += byteLength;
    return { buffer: 0, byteOffset: byteOffset - byteLength, byteLength };
  });
  const scene = {
    asset: { version: "2.0", generator: "fieldlr" },
    scene: 0,
    scenes: [{ nodes: [0] }],
    nodes: [{ mesh: 0 }],
    meshes: [{ primitives: [{ attributes: { POSITION: 0, NORMAL: 1 }, indices: 2, material: 0 }] }],
    materials: [{ pbrMetallicRoughness: { baseColorFactor: [0.68, 0.664, 0.629, 1], metallicFactor: 0, roughnessFactor: 0.9 } }],
    accessors: [
      { bufferView: 0, componentType: 5126, count, type: "VEC3", min: low, max: high },
      { bufferView: 1, componentType: 5126, count, type: "VEC3" },
      { bufferView: 2, componentType: 5125, count: faces.length, type: "SCALAR" },
    ],
    bufferViews,
    buffers: [{ byteLength: byteOffset }],
  };
  const json = JSON.stringify(scene);
  const head = text(json + " ".repeat(-text(json).length & 3));
  const numbers = (...values) => Uint32Array.from(values);
  const size = 28 + head.length + byteOffset;
  return [numbers(0x46546c67, 2, size, head.length, 0x4e4f534a), head, numbers(byteOffset, 0x004e4942), ...parts];
}

const FORMATS = { GLB: glb, STL: stl, PLY: ply };
export const FORMAT_NAMES = Object.keys(FORMATS);

/** Downloads a mesh {vertices, faces, normals} in one of FORMAT_NAMES. */
export function download(mesh, format, name) {
  const href = URL.createObjectURL(new Blob(FORMATS[format](mesh)));
  Object.assign(document.createElement("a"), { href, download: `${name}.${format.toLowerCase()}` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}
