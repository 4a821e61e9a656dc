// Marching cubes (Lorensen and Cline 1987): the triangles of a cell by the signs of its corners.
//
// Corner c lies at (c & 1, c >> 1 & 1, c >> 2). The table is made, not written down: on each face
// of the cell the surface runs from where one enters the inside to where one left it before, and
// these segments form loops. On a face that is cut twice they part the outside corners, on both
// sides of the face alike, so that surfaces are closed.

/** Edges: [corner, axis], from the corner along the axis. */
const EDGES = [0, 1, 2].flatMap((axis) =>
  [0, 1, 2, 3, 4, 5, 6, 7].filter((c) => !((c >> axis) & 1)).map((corner) => ({ corner, axis })),
);

const edgeBetween = (a, b) =>
  EDGES.findIndex(({ corner, axis }) => corner === Math.min(a, b) && (a ^ b) === 1 << axis);

/** The corners of each face, counter-clockwise seen from outside. */
const FACES = [0, 1, 2].flatMap((axis) => {
  const [u, v] = [1 << (axis + 1) % 3, 1 << (axis + 2) % 3];
  const low = [0, v, u | v, u];
  return [low, low.map((c) => c | (1 << axis)).reverse()];
});

/** Triangles of a case, three edges each: bit c of `inside` is set where corner c is inside. */
function trianglesOf(inside) {
  const next = new Map();
  for (const face of FACES) {
    const isIn = (i) => (inside >> face[i % 4]) & 1;
    for (let i = 0; i < 4; i++) {
      if (isIn(i) || !isIn(i + 1)) continue;
      let last = i + 4;
      while (!isIn(last - 1)) last--;
      next.set(
        edgeBetween(face[i], face[(i + 1) % 4]),
        edgeBetween(face[(last - 1) % 4], face[last % 4]),
      );
    }
  }
  const triangles = [];
  while (next.size) {
    const [first] = next.keys();
    const loop = [];
    for (let edge = first; next.has(edge); ) {
      loop.push(edge);
      const following = next.get(edge);
      next.delete(edge);
      edge = following;
    }
    for (let i = 2; i < loop.length; i++) triangles.push(first, loop[i - 1], loop[i]);
  }
  return triangles;
}

let table;

/**
 * The mesh of cells (x, y, z one after the other): {vertices, faces}, vertices in nodes.
 * `read(x, y, z)` is the value at a node, never 0; inside is above 0, and faces point outward.
 */
export function march(cells, read) {
  table ??= Array.from({ length: 256 }, (_, inside) => trianglesOf(inside));
  const [vertices, faces, known, values] = [[], [], new Map(), new Float64Array(8)];
  for (let i = 0; i < cells.length; i += 3) {
    const at = [cells[i], cells[i + 1], cells[i + 2]];
    let inside = 0;
    for (let c = 0; c < 8; c++) {
      values[c] = read(at[0] + (c & 1), at[1] + ((c >> 1) & 1), at[2] + (c >> 2));
      if (values[c] > 0) inside |= 1 << c;
    }
    for (const edge of table[inside]) {
      const { corner, axis } = EDGES[edge];
      const node = [at[0] + (corner & 1), at[1] + ((corner >> 1) & 1), at[2] + (corner >> 2)];
      const key = ((node[2] * 8192 + node[1]) * 8192 + node[0]) * 3 + axis;
      let index = known.get(key);
      if (index === undefined) {
        known.set(key, (index = vertices.length / 3));
        const value = values[corner];
        node[axis] += value / (value - values[corner | (1 << axis)]);
        vertices.push(...node);
      }
      faces.push(index);
    }
  }
  return { vertices: Float64Array.from(vertices), faces: Uint32Array.from(faces) };
}
