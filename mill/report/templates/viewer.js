// The 3D view of one asset: WebGL 2, no libraries. `createViewer(canvas)` -> methods, or null where there is no WebGL 2.
// Not <model-viewer> or three.js: either adds more bytes to the page than all of this, and both read GLB, which holds the same
// thinned mesh in several times the bytes (float positions, PNG or JPEG textures) that geometry.py packs it into.
// Meshes are as mill/report/geometry.py packs them; cameras have OpenCV axes (x right, y down, z forward), Z is up.

const VERTEX = `#version 300 es
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in vec2 uv;
layout(location = 3) in uint layer;
layout(location = 4) in uint part;
uniform mat4 projection;
uniform float nearer;
out vec3 at, facing;
out vec2 st;
flat out uint which, piece;
void main() {
  at = position; facing = normal; st = vec2(uv.x, 1.0 - uv.y); which = layer; piece = part;
  gl_Position = projection * vec4(position, 1.0);
  gl_Position.z -= nearer * gl_Position.w;
}`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp sampler2DArray;
in vec3 at, facing;
in vec2 st;
flat in uint which, piece;
uniform int mode;  // 0 colour, 1 normals, 2 parts, 3 clay, 4 one flat colour
uniform vec4 flat_colour;
uniform vec3 eye, side, up;
uniform sampler2DArray colours;
uniform vec2 look[64];  // metallic, roughness
out vec4 result;
vec3 sky(vec3 d) {  // a soft studio: light above, a broad lamp beside the camera, a dark floor
  float lamp = smoothstep(0.55, 0.95, dot(d, normalize(0.7 * up - 0.6 * side + normalize(eye))));
  return mix(vec3(0.16, 0.155, 0.15), vec3(0.62, 0.66, 0.72), smoothstep(-0.5, 0.9, d.z)) + 1.1 * lamp;
}
void main() {
  if (mode == 4) { result = flat_colour; return; }
  vec3 view = normalize(eye - at);
  vec3 n = normalize(facing);
  if (dot(n, n) < 0.5) n = normalize(cross(dFdx(at), dFdy(at)));
  if (dot(n, view) < -0.12) n = -n;
  if (mode == 1) { result = vec4(n * 0.5 + 0.5, 1.0); return; }
  vec3 base = vec3(0.52);
  float metal = 0.0, rough = 0.55;
  if (mode == 0) {
    vec4 texel = texture(colours, vec3(st, float(which)));
    if (texel.a < 0.5) discard;
    base = texel.rgb; metal = look[which].x; rough = clamp(look[which].y, 0.08, 1.0);
  } else if (mode == 2) {
    float h = fract(float(piece) * 0.61803 + 0.08);
    base = pow(0.52 + 0.38 * cos(6.28318 * (h + vec3(0.0, 0.33, 0.67))), vec3(1.6));
  }
  vec3 key = normalize(0.55 * up - 0.65 * side + normalize(eye)), fill = normalize(0.1 * up + 0.9 * side + 0.5 * normalize(eye));
  float diffuse = 0.66 * max(dot(n, key), 0.0) + 0.22 * max(dot(n, fill), 0.0) + mix(0.13, 0.38, 0.5 + 0.5 * n.z);
  vec3 half_way = normalize(key + view);
  float shine = 2.0 / pow(rough, 3.0) + 1.0;
  vec3 f0 = mix(vec3(0.04), base, metal);
  vec3 fresnel = f0 + (1.0 - f0) * pow(1.0 - max(dot(n, view), 0.0), 5.0) * (1.0 - rough);
  vec3 mirrored = sky(reflect(-view, n)) * mix(1.0, 0.55, rough);
  vec3 colour = base * (1.0 - metal) * diffuse + fresnel * mirrored
    + f0 * pow(max(dot(n, half_way), 0.0), shine) * (shine + 8.0) * 0.03;
  colour = colour / (1.0 + max(max(colour.r, max(colour.g, colour.b)) - 0.8, 0.0) * 0.6);
  result = vec4(pow(clamp(colour, 0.0, 1.0), vec3(1.0 / 2.2)), 1.0);
}`;

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// The numbers behind byte planes, interleaved: (n, columns) row by row.
function unpack(bytes, columns, size, delta) {
  const total = bytes.length / size, n = total / columns, mask = size < 4 ? 2 ** (8 * size) - 1 : -1;
  const values = new Uint32Array(total);
  for (let c = 0; c < columns; c++) {
    let last = 0;
    for (let i = 0; i < n; i++) {
      let value = 0;
      for (let b = 0; b < size; b++) value |= bytes[b * total + c * n + i] << (8 * b);
      last = (delta ? last + value : value) & mask;
      values[i * columns + c] = last;
    }
  }
  return values;
}

async function decodeMesh(mesh) {
  const get = async (name, columns, size, delta = true) => unpack(await inflate(mesh.data[name]), columns, size, delta);
  const position = Float32Array.from(await get("position", 3, 2), (v) => (v / mesh.steps) * 2 - 1);
  const folded = await get("normal", 2, 2), normal = new Float32Array(position.length);
  for (let i = 0; i < mesh.vertices; i++) {  // the octahedral map back to unit vectors
    let x = (folded[2 * i] - 511) / 511, y = (folded[2 * i + 1] - 511) / 511;
    const z = 1 - Math.abs(x) - Math.abs(y);
    if (z < 0) [x, y] = [(1 - Math.abs(y)) * (x >= 0 ? 1 : -1), (1 - Math.abs(x)) * (y >= 0 ? 1 : -1)];
    const length = Math.hypot(x, y, z) || 1;
    normal.set([x / length, y / length, z / length], 3 * i);
  }
  const [u, v, step] = mesh.uv;
  const uv = Float32Array.from(await get("uv", 2, 2), (value, k) => value * step + (k % 2 ? v : u));
  const codes = await get("index", 1, 4, false), index = new Uint32Array(codes.length);
  for (let i = 0, highest = 0; i < codes.length; i++) {
    index[i] = highest - codes[i];
    if (codes[i] === 0) highest++;
  }
  const lines = new Uint32Array(2 * index.length);
  for (let i = 0; i < index.length; i++) {
    lines[2 * i] = index[i];
    lines[2 * i + 1] = index[i % 3 === 2 ? i - 2 : i + 1];
  }
  const layer = Uint8Array.from(await get("layer", 1, 1)), part = Uint8Array.from(await get("part", 1, 1));
  const image = new Image();
  image.src = mesh.layers.image;
  await image.decode();
  const paper = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  const pen = paper.getContext("2d", { willReadFrequently: true });
  pen.drawImage(image, 0, 0);
  const texels = new Uint8Array(pen.getImageData(0, 0, image.width, image.height).data.buffer);
  return { position, normal, uv, layer, part, index, lines, texels };
}

const scale = (a, k) => [a[0] * k, a[1] * k, a[2] * k];
const add = (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

// A camera on a sphere around `target`: angles in radians; `tan` is half the picture at distance 1 (across, upright).
const HOME = { target: [0, 0, 0], azimuth: -1.05, elevation: 0.35, distance: 4.6, roll: 0, tan: [0.3, 0.3], flat: 0 };

function frame(camera) {
  const { azimuth: a, elevation: e, roll: r } = camera;
  const back = [Math.cos(e) * Math.cos(a), Math.cos(e) * Math.sin(a), Math.sin(e)];
  const right = [-Math.sin(a), Math.cos(a), 0];
  const up = [-Math.sin(e) * Math.cos(a), -Math.sin(e) * Math.sin(a), Math.cos(e)];
  return {
    eye: add(camera.target, scale(back, camera.distance)), back,
    right: add(scale(right, Math.cos(r)), scale(up, Math.sin(r))),
    up: add(scale(up, Math.cos(r)), scale(right, -Math.sin(r))),
  };
}

// The dataset's own camera: `pose` is the upper (3, 4) of c2w, `lens` is fx, fy, width, height, orthographic.
function fromPose(pose, lens) {
  const column = (k) => [pose[k], pose[4 + k], pose[8 + k]];
  const forward = column(2), eye = column(3), distance = Math.max(0.3, -dot(eye, forward));
  const camera = {
    target: add(eye, scale(forward, distance)), distance, roll: 0,
    azimuth: Math.atan2(-forward[1], -forward[0]), elevation: Math.asin(Math.max(-1, Math.min(1, -forward[2]))),
    flat: lens[4], tan: [lens[2] / 2 / lens[0], lens[3] / 2 / lens[1]].map((t) => (lens[4] ? t / distance : t)),
  };
  const { right, up } = frame(camera);
  camera.roll = Math.atan2(dot(column(0), up), dot(column(0), right));
  return camera;
}

// Column-major view-projection; the picture of `tan` is inside the canvas whatever its shape.
function project(camera, aspect) {
  const { eye, back, right, up } = frame(camera);
  const tall = Math.max(camera.tan[1], camera.tan[0] / aspect), wide = tall * aspect;
  const near = Math.max(0.02 * camera.distance, 0.01), far = camera.distance + 30, d = camera.distance;
  const x = [...scale(right, 1 / wide), -dot(eye, right) / wide], y = [...scale(up, 1 / tall), -dot(eye, up) / tall];
  const depth = [...scale(back, -1), dot(eye, back)];  // distance in front of the camera
  const rows = camera.flat
    ? [x.map((v) => v / d), y.map((v) => v / d), depth.map((v, k) => (2 * v - (k === 3) * (near + far)) / (far - near)), [0, 0, 0, 1]]
    : [x, y, depth.map((v, k) => ((far + near) * v - (k === 3) * 2 * far * near) / (far - near)), depth];
  return new Float32Array([0, 1, 2, 3].flatMap((c) => rows.map((row) => row[c])));
}

function createViewer(canvas, changed = () => {}) {
  const gl = canvas.getContext("webgl2", { antialias: true, alpha: true, premultipliedAlpha: false, preserveDrawingBuffer: true });
  if (!gl || typeof DecompressionStream === "undefined") return null;
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  gl.enable(gl.DEPTH_TEST);
  for (const location of [3, 4]) gl.vertexAttribI4ui(location, 0, 0, 0, 0);  // the cameras' lines have no layer and no part
  const uniform = (name) => gl.getUniformLocation(program, name);
  const at = Object.fromEntries(["projection", "nearer", "mode", "flat_colour", "eye", "side", "up", "look"].map((n) => [n, uniform(n)]));
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const state = { mode: 0, wire: false, cameras: false, chosen: -1, spinning: false };
  let camera = structuredClone(HOME), asset = null, due = 0, flight = null, loads = 0;

  function upload(target, data, location, size, type) {
    const buffer = gl.createBuffer();
    gl.bindBuffer(target, buffer);
    gl.bufferData(target, data, gl.STATIC_DRAW);
    if (location !== undefined) {
      gl.enableVertexAttribArray(location);
      if (type === gl.UNSIGNED_BYTE) gl.vertexAttribIPointer(location, size, type, 0, 0);
      else gl.vertexAttribPointer(location, size, type, false, 0, 0);
    }
    return buffer;
  }

  function forget() {
    if (!asset) return;
    asset.buffers.forEach((buffer) => gl.deleteBuffer(buffer));
    gl.deleteTexture(asset.texture);
    gl.deleteVertexArray(asset.array);
    gl.deleteVertexArray(asset.rigArray);
    asset = null;
  }

  async function show(mesh, cameras, lenses) {
    const load = ++loads;
    forget();
    draw();
    if (!mesh) return;
    const found = await decodeMesh(mesh);
    if (load !== loads) return;  // another asset was asked for meanwhile
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    const buffers = [
      upload(gl.ARRAY_BUFFER, found.position, 0, 3, gl.FLOAT), upload(gl.ARRAY_BUFFER, found.normal, 1, 3, gl.FLOAT),
      upload(gl.ARRAY_BUFFER, found.uv, 2, 2, gl.FLOAT), upload(gl.ARRAY_BUFFER, found.layer, 3, 1, gl.UNSIGNED_BYTE),
      upload(gl.ARRAY_BUFFER, found.part, 4, 1, gl.UNSIGNED_BYTE),
    ];
    const triangles = upload(gl.ELEMENT_ARRAY_BUFFER, found.index), lines = upload(gl.ELEMENT_ARRAY_BUFFER, found.lines);
    const rigArray = gl.createVertexArray();
    gl.bindVertexArray(rigArray);
    const rig = upload(gl.ARRAY_BUFFER, new Float32Array(cameras.flatMap((pose, k) => pyramid(pose, lenses[k]))), 0, 3, gl.FLOAT);
    const texture = gl.createTexture(), { side, count } = mesh.layers;
    gl.bindTexture(gl.TEXTURE_2D_ARRAY, texture);
    gl.texStorage3D(gl.TEXTURE_2D_ARRAY, Math.log2(side) + 1, gl.SRGB8_ALPHA8, side, side, count);
    gl.texSubImage3D(gl.TEXTURE_2D_ARRAY, 0, 0, 0, 0, side, side, count, gl.RGBA, gl.UNSIGNED_BYTE, found.texels);
    gl.generateMipmap(gl.TEXTURE_2D_ARRAY);
    gl.texParameteri(gl.TEXTURE_2D_ARRAY, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
    const sharp = gl.getExtension("EXT_texture_filter_anisotropic");
    if (sharp) gl.texParameteri(gl.TEXTURE_2D_ARRAY, sharp.TEXTURE_MAX_ANISOTROPY_EXT, 4);
    const look = new Float32Array(128);
    mesh.layers.metallic.forEach((metal, k) => look.set([metal, mesh.layers.roughness[k]], 2 * k));
    asset = { array, rigArray, texture, look, triangles, lines, count: found.index.length, cameras, lenses,
              buffers: [...buffers, triangles, lines, rig] };
    camera = structuredClone(HOME);
    state.chosen = -1;
    state.spinning = !still;
    canvas.dataset.triangles = found.index.length / 3;
    draw();
  }

  function pyramid(pose, [fx, fy, width, height, flat]) {  // eight lines of a camera's viewing pyramid
    const column = (k) => [pose[k], pose[4 + k], pose[8 + k]];
    const reach = 0.4, eye = column(3), [x, y] = flat ? [width / 2 / fx, height / 2 / fy] : [width / 2 / fx * reach, height / 2 / fy * reach];
    const corner = (i, j) => add(add(add(eye, scale(column(2), reach)), scale(column(0), i * x)), scale(column(1), j * y));
    const corners = [corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)];
    return corners.flatMap((c, k) => [...eye, ...c, ...c, ...corners[(k + 1) % 4]]);
  }

  function draw() {
    if (!due) due = requestAnimationFrame(render);
  }

  function render(now) {
    due = 0;
    if (flight) {
      flight.start ??= now;  // the first frame's own clock
      const t = still ? 1 : Math.min(1, (now - flight.start) / 450), k = t * t * (3 - 2 * t), mix = (a, b) => a + (b - a) * k;
      for (const key of ["azimuth", "elevation", "distance", "roll"]) camera[key] = mix(flight.from[key], flight.to[key]);
      for (const key of ["target", "tan"]) camera[key] = camera[key].map((_, i) => mix(flight.from[key][i], flight.to[key][i]));
      camera.flat = flight.to.flat;
      if (t === 1) flight = null;
      else draw();
    } else if (state.spinning && asset && canvas.offsetParent) {
      camera.azimuth += 0.006;
      draw();
    }
    const density = Math.min(window.devicePixelRatio || 1, 2);
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((v) => Math.max(1, Math.round(v * density)));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    if (!asset) return;
    const { eye, right, up } = frame(camera);
    gl.uniformMatrix4fv(at.projection, false, project(camera, width / height));
    gl.uniform3fv(at.eye, eye);
    gl.uniform3fv(at.side, right);
    gl.uniform3fv(at.up, up);
    gl.uniform2fv(at.look, asset.look);
    gl.bindTexture(gl.TEXTURE_2D_ARRAY, asset.texture);
    gl.bindVertexArray(asset.array);
    gl.uniform1i(at.mode, state.mode);
    gl.uniform1f(at.nearer, 0);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, asset.triangles);
    gl.drawElements(gl.TRIANGLES, asset.count, gl.UNSIGNED_INT, 0);
    gl.uniform1i(at.mode, 4);
    if (state.wire) {
      gl.uniform1f(at.nearer, 0.0004);
      gl.uniform4f(at.flat_colour, 0.05, 0.07, 0.1, 1);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, asset.lines);
      gl.drawElements(gl.LINES, 2 * asset.count, gl.UNSIGNED_INT, 0);
    }
    if (state.cameras) {
      gl.bindVertexArray(asset.rigArray);
      gl.uniform1f(at.nearer, 0);
      gl.uniform4f(at.flat_colour, 0.36, 0.6, 0.74, 1);
      gl.drawArrays(gl.LINES, 0, 16 * asset.cameras.length);
      gl.uniform4f(at.flat_colour, 0.95, 0.55, 0.15, 1);
      if (state.chosen >= 0) gl.drawArrays(gl.LINES, 16 * state.chosen, 16);
    }
    canvas.dataset.drawn = "1";
  }

  function fly(to) {
    state.spinning = false;
    const turn = 2 * Math.PI, from = structuredClone(camera);
    for (const key of ["azimuth", "roll"]) from[key] = to[key] + ((((from[key] - to[key]) % turn) + 1.5 * turn) % turn) - turn / 2;
    flight = { from, to };
    draw();
  }

  function touched() {
    state.spinning = false;
    flight = null;
    if (state.chosen >= 0 && !state.cameras) { state.chosen = -1; changed(state); }
    draw();
  }
  function orbit(dx, dy) {
    touched();
    camera.azimuth -= dx * 0.008;
    camera.elevation = Math.max(-1.57, Math.min(1.57, camera.elevation + dy * 0.008));
    camera.roll *= 0.85;
  }
  function pan(dx, dy) {
    touched();
    const { right, up } = frame(camera), step = (2 * camera.distance * Math.max(...camera.tan)) / canvas.clientHeight;
    camera.target = add(camera.target, add(scale(right, -dx * step), scale(up, dy * step)));
  }
  function zoom(factor) {
    touched();
    camera.distance = Math.max(0.4, Math.min(40, camera.distance * factor));
  }
  const home = () => { state.chosen = -1; fly(structuredClone(HOME)); changed(state); };

  const fingers = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY], [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const apart = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
      zoom(apart(before) / Math.max(apart(now), 1));
      pan(dx / 2, dy / 2);
    } else if (event.shiftKey || event.buttons & 6) pan(dx, dy);
    else if (dx || dy) orbit(dx, dy);
    fingers.set(event.pointerId, now);
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, (event) => fingers.delete(event.pointerId));
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(event.deltaY * 0.0012)); }, { passive: false });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", home);
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: () => orbit(-20, 0), ArrowRight: () => orbit(20, 0), ArrowUp: () => orbit(0, 20),
                    ArrowDown: () => orbit(0, -20), "+": () => zoom(0.9), "=": () => zoom(0.9), "-": () => zoom(1.1), 0: home };
    if (moves[event.key]) { moves[event.key](); event.preventDefault(); event.stopPropagation(); }
  });
  new ResizeObserver(draw).observe(canvas);

  return {
    state, show, home, redraw: draw,
    set(name, value) {
      state[name] = value;
      if (name === "cameras" && asset) {
        state.spinning = false;
        const reach = Math.max(1.5, ...asset.cameras.map((p) => Math.hypot(p[3], p[7], p[11])));
        fly({ ...structuredClone(HOME), distance: value ? (reach + 0.5) / 0.3 * 0.95 : HOME.distance });
      }
      changed(state);
      draw();
    },
    look(view) {
      if (!asset || !asset.cameras[view]) return;
      state.chosen = view;
      if (!state.cameras) fly(fromPose(asset.cameras[view], asset.lenses[view]));
      changed(state);
      draw();
    },
  };
}
