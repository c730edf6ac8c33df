"""Warp kernels of `versemill.dual_grid`: grid lines that faces cross, errors of dual vertices, where they are least.

Positions are in voxels, float64; a voxel is marked by a bit in Morton's order, and its row is the number of bits before it.
"""

import warp as wp

from versemill import device

wp.set_module_options(device.EXACT)

FACE_WEIGHT, BOUNDARY_WEIGHT, REGULARISATION = 1.0, 0.2, 0.01
"""Weights of the error's terms, as TRELLIS.2's data toolkit sets them."""


@wp.func
def corner(corners: wp.array(dtype=wp.vec3d), face: int, k: int) -> wp.vec3d:
    """The k-th corner of a face, counted round."""
    return corners[3 * face + k % 3]


@wp.func
def spread(value: wp.uint32) -> wp.uint32:
    """Two zero bits after each of ten bits."""
    bits = value
    bits = (bits | (bits << wp.uint32(16))) & wp.uint32(0x030000FF)
    bits = (bits | (bits << wp.uint32(8))) & wp.uint32(0x0300F00F)
    bits = (bits | (bits << wp.uint32(4))) & wp.uint32(0x030C30C3)
    return (bits | (bits << wp.uint32(2))) & wp.uint32(0x09249249)


@wp.func
def morton(voxel: wp.vec3i) -> wp.uint32:
    """The bits of x, y and z interleaved, those of x the highest."""
    x, y, z = wp.uint32(voxel[0]), wp.uint32(voxel[1]), wp.uint32(voxel[2])
    return (spread(x) << wp.uint32(2)) | (spread(y) << wp.uint32(1)) | spread(z)


@wp.func
def rank(voxel: wp.vec3i, resolution: int, marks: wp.array(dtype=wp.uint32), ranks: wp.array(dtype=wp.int32)) -> int:
    """How many marked voxels come before this one; -1 where it is not marked itself, or outside the grid."""
    if wp.min(voxel) < 0 or wp.max(voxel) >= resolution:
        return -1
    code = morton(voxel)
    word, bit = int(code >> wp.uint32(5)), wp.uint32(1) << (code & wp.uint32(31))
    if (marks[word] & bit) == wp.uint32(0):
        return -1
    return ranks[word] + int(wp.bit_count(marks[word] & (bit - wp.uint32(1))))


@wp.func
def around(point: wp.vec3d, axis: int, k: int, resolution: int) -> wp.vec3i:
    """The k-th of the four voxels around the edge along `axis` that is crossed at a point; the first is the lowest."""
    u, v = (axis + 1) % 3, (axis + 2) % 3
    voxel = wp.vec3i()
    voxel[u] = int(point[u]) - 1 + (k & 1)
    voxel[v] = int(point[v]) - 1 + (k >> 1)
    voxel[axis] = wp.min(int(point[axis]), resolution - 1)
    return voxel


@wp.func
def middle(voxel: wp.vec3i) -> wp.vec3d:
    """The centre of a voxel."""
    half = wp.float64(0.5)
    return wp.vec3d(wp.float64(voxel[0]) + half, wp.float64(voxel[1]) + half, wp.float64(voxel[2]) + half)


@wp.kernel
def cross(
    corners: wp.array(dtype=wp.vec3d),
    begin: int,
    resolution: int,
    starts: wp.array(dtype=wp.int32),
    counts: wp.array(dtype=wp.int32),
    points: wp.array(dtype=wp.vec3d),
    axes: wp.array(dtype=wp.int32),
    owners: wp.array(dtype=wp.int32),
    fill: bool,
):
    """Counts, or fills in, the grid lines that each face from `begin` on crosses.

    A line at (i, j) is crossed where low < j <= high and left < i <= right, and an edge's ends are always taken in one order:
    of two faces that share an edge, one crosses a line through it.
    """
    face = begin + wp.tid()
    number = wp.int32(0)
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        a, b, c = corner(corners, face, 0), corner(corners, face, 1), corner(corners, face, 2)
        low, high = wp.min(a[v], wp.min(b[v], c[v])), wp.max(a[v], wp.max(b[v], c[v]))
        for j in range(int(wp.floor(low)) + 1, wp.min(int(wp.floor(high)), resolution - 1) + 1):
            y = wp.float64(j)
            left, right = wp.vec2d(wp.float64(1.0e30), wp.float64(0.0)), wp.vec2d(wp.float64(-1.0e30), wp.float64(0.0))
            for side in range(3):
                first, second = corner(corners, face, side), corner(corners, face, side + 1)
                p, q = wp.where(first[v] > second[v], second, first), wp.where(first[v] > second[v], first, second)
                if p[v] < y and y <= q[v]:
                    part = (y - p[v]) / (q[v] - p[v])
                    rest = wp.float64(1.0) - part
                    place = wp.vec2d(rest * p[u] + part * q[u], rest * p[axis] + part * q[axis])
                    if place[0] < left[0]:
                        left = place
                    if place[0] > right[0]:
                        right = place
            for i in range(int(wp.floor(left[0])) + 1, wp.min(int(wp.floor(right[0])), resolution - 1) + 1):
                if fill:
                    part = (wp.float64(i) - left[0]) / (right[0] - left[0])
                    point = wp.vec3d()
                    point[u] = wp.float64(i)
                    point[v] = y
                    point[axis] = (wp.float64(1.0) - part) * left[1] + part * right[1]
                    points[starts[face - begin] + number] = point
                    axes[starts[face - begin] + number] = axis
                    owners[starts[face - begin] + number] = face
                number += 1
    counts[face - begin] = number


@wp.kernel
def mark(points: wp.array(dtype=wp.vec3d), axes: wp.array(dtype=wp.int32), resolution: int, marks: wp.array(dtype=wp.uint32)):
    """Sets the bits of the four voxels around each crossing."""
    i = wp.tid()
    for k in range(4):
        code = morton(around(points[i], axes[i], k, resolution))
        word = int(code >> wp.uint32(5))
        marks[word] = marks[word] | (wp.uint32(1) << (code & wp.uint32(31)))


@wp.func
def add(quadrics: wp.array2d(dtype=float), row: int, a: wp.mat33, b: wp.vec3):
    """Adds x A x - 2 b x to a voxel's error; x is measured from its centre."""
    quadrics[row, 0] += a[0, 0]
    quadrics[row, 1] += a[0, 1]
    quadrics[row, 2] += a[0, 2]
    quadrics[row, 3] += a[1, 1]
    quadrics[row, 4] += a[1, 2]
    quadrics[row, 5] += a[2, 2]
    for k in range(3):
        quadrics[row, 6 + k] += b[k]


@wp.func
def nearest_weights(point: wp.vec3d, a: wp.vec3d, b: wp.vec3d, c: wp.vec3d) -> wp.vec3d:
    """Barycentric weights of the triangle's nearest point: in the triangle, or else the nearest of its edges."""
    normal = wp.cross(b - a, c - a)
    area = wp.dot(normal, normal)
    zero, one = wp.float64(0.0), wp.float64(1.0)
    wb = wp.dot(wp.cross(point - a, c - a), normal) / area
    wc = wp.dot(wp.cross(b - a, point - a), normal) / area
    if wb >= zero and wc >= zero and wb + wc <= one:
        return wp.vec3d(one - wb - wc, wb, wc)
    on_ab = wp.clamp(wp.dot(point - a, b - a) / wp.max(wp.length_sq(b - a), wp.float64(1.0e-30)), zero, one)
    on_bc = wp.clamp(wp.dot(point - b, c - b) / wp.max(wp.length_sq(c - b), wp.float64(1.0e-30)), zero, one)
    on_ca = wp.clamp(wp.dot(point - c, a - c) / wp.max(wp.length_sq(a - c), wp.float64(1.0e-30)), zero, one)
    weights = wp.vec3d(one - on_ab, on_ab, zero)
    least = wp.length_sq(a + on_ab * (b - a) - point)
    if wp.length_sq(b + on_bc * (c - b) - point) < least:
        weights = wp.vec3d(zero, one - on_bc, on_bc)
        least = wp.length_sq(b + on_bc * (c - b) - point)
    if wp.length_sq(c + on_ca * (a - c) - point) < least:
        weights = wp.vec3d(on_ca, zero, one - on_ca)
    return weights


@wp.kernel
def gather(
    points: wp.array(dtype=wp.vec3d),
    axes: wp.array(dtype=wp.int32),
    owners: wp.array(dtype=wp.int32),
    corners: wp.array(dtype=wp.vec3d),
    resolution: int,
    marks: wp.array(dtype=wp.uint32),
    ranks: wp.array(dtype=wp.int32),
    quadrics: wp.array2d(dtype=float),
    crossed: wp.array2d(dtype=wp.bool),
    distances: wp.array(dtype=wp.float64),
    nearest: wp.array(dtype=wp.int32),
    weights: wp.array(dtype=wp.vec3),
):
    """Adds each crossing, and its face's plane, to the four voxels around it, and keeps the face that is nearest to each."""
    i = wp.tid()
    face, axis = owners[i], axes[i]
    a, b, c = corner(corners, face, 0), corner(corners, face, 1), corner(corners, face, 2)
    normal = wp.normalize(wp.cross(b - a, c - a))
    n = wp.vec3(normal)
    for k in range(4):
        voxel = around(points[i], axis, k, resolution)
        row, center = rank(voxel, resolution, marks, ranks), middle(voxel)
        offset = wp.vec3(points[i] - center)
        add(quadrics, row, wp.outer(n, n), n * wp.dot(n, offset))
        for d in range(3):
            quadrics[row, 9 + d] += offset[d]
        quadrics[row, 12] += 1.0
        if k == 0:
            crossed[row, axis] = True
        share = nearest_weights(center, a, b, c)
        distance = wp.length_sq(share[0] * a + share[1] * b + share[2] * c - center)
        if distance < distances[row]:
            distances[row] = distance
            nearest[row] = face
            weights[row] = wp.vec3(share)


@wp.kernel
def cover(
    corners: wp.array(dtype=wp.vec3d),
    resolution: int,
    marks: wp.array(dtype=wp.uint32),
    ranks: wp.array(dtype=wp.int32),
    quadrics: wp.array2d(dtype=float),
):
    """Adds a face's plane to the marked voxels that it passes through: cell by cell of its projection along the axis that its
    normal is nearest to, those that its plane reaches there."""
    face = wp.tid()
    a, b, c = corner(corners, face, 0), corner(corners, face, 1), corner(corners, face, 2)
    normal = wp.normalize(wp.cross(b - a, c - a))
    axis = int(wp.argmax(wp.abs(normal)))
    u, v = (axis + 1) % 3, (axis + 2) % 3
    n = wp.vec3(normal)
    zero, half, one = wp.float64(0.0), wp.float64(0.5), wp.float64(1.0)
    low, high = wp.min(a[v], wp.min(b[v], c[v])), wp.max(a[v], wp.max(b[v], c[v]))
    bottom, top = wp.min(a[axis], wp.min(b[axis], c[axis])), wp.max(a[axis], wp.max(b[axis], c[axis]))
    reach = half * (wp.abs(normal[u]) + wp.abs(normal[v])) / wp.abs(normal[axis])
    for j in range(int(low), wp.min(int(high), resolution - 1) + 1):
        left, right = wp.float64(1.0e30), wp.float64(-1.0e30)
        for side in range(3):
            p, q = corner(corners, face, side), corner(corners, face, side + 1)
            rise = q[v] - p[v]
            if wp.max(p[v], q[v]) >= wp.float64(j) and wp.min(p[v], q[v]) <= wp.float64(j + 1):
                begin, end = zero, one
                if rise != zero:
                    begin = wp.clamp((wp.float64(j) - p[v]) / rise, zero, one)
                    end = wp.clamp((wp.float64(j + 1) - p[v]) / rise, zero, one)
                first, last = p[u] + begin * (q[u] - p[u]), p[u] + end * (q[u] - p[u])
                left, right = wp.min(left, wp.min(first, last)), wp.max(right, wp.max(first, last))
        for i in range(wp.max(int(left), 0), wp.min(int(right), resolution - 1) + 1):
            across = normal[u] * (wp.float64(i) + half - a[u]) + normal[v] * (wp.float64(j) + half - a[v])
            height = a[axis] - across / normal[axis]
            begin, end = wp.max(height - reach, bottom), wp.min(height + reach, top)
            for k in range(int(begin), int(end) + 1):
                voxel = wp.vec3i()
                voxel[u] = i
                voxel[v] = j
                voxel[axis] = k
                row = rank(voxel, resolution, marks, ranks)
                if row >= 0:
                    plane = float(wp.dot(normal, a - middle(voxel)))
                    add(quadrics, row, FACE_WEIGHT * wp.outer(n, n), FACE_WEIGHT * plane * n)


@wp.kernel
def follow(
    ends: wp.array(dtype=wp.vec3d),
    resolution: int,
    marks: wp.array(dtype=wp.uint32),
    ranks: wp.array(dtype=wp.int32),
    quadrics: wp.array2d(dtype=float),
):
    """Adds the line through a boundary edge to the marked voxels along it."""
    i = wp.tid()
    start, way = ends[2 * i], ends[2 * i + 1] - ends[2 * i]
    if wp.length_sq(way) < wp.float64(1.0e-18):
        return
    d = wp.vec3(wp.normalize(way))
    across = BOUNDARY_WEIGHT * (wp.identity(n=3, dtype=float) - wp.outer(d, d))
    voxel, last = wp.vec3i(), wp.vec3i()
    steps = wp.int32(0)
    for k in range(3):
        voxel[k] = int(start[k])
        last[k] = int(ends[2 * i + 1][k])
        steps += wp.abs(last[k] - voxel[k])
    for _ in range(steps + 1):
        row = rank(voxel, resolution, marks, ranks)
        if row >= 0:
            add(quadrics, row, across, across * wp.vec3(start - middle(voxel)))
        soonest, turn = wp.float64(1.0e30), wp.int32(0)
        for k in range(3):
            if voxel[k] != last[k]:
                border = wp.float64(voxel[k] + wp.where(way[k] > wp.float64(0.0), 1, 0))
                when = (border - start[k]) / way[k]
                if when < soonest:
                    soonest, turn = when, k
        voxel[turn] += wp.where(way[turn] > wp.float64(0.0), 1, -1)


@wp.kernel
def solve(quadrics: wp.array2d(dtype=float), solved: wp.array(dtype=wp.vec3)):
    """The point of each voxel, from its centre, with the least error.

    Where the least of all lies outside, each coordinate is free or at one of its two bounds: the best of the 27 cases whose
    free coordinates end up inside.
    """
    i = wp.tid()
    weight = REGULARISATION * quadrics[i, 12]
    a = wp.mat33(
        quadrics[i, 0] + weight, quadrics[i, 1], quadrics[i, 2],
        quadrics[i, 1], quadrics[i, 3] + weight, quadrics[i, 4],
        quadrics[i, 2], quadrics[i, 4], quadrics[i, 5] + weight,
    )  # fmt: skip
    b = wp.vec3()
    for k in range(3):
        b[k] = quadrics[i, 6 + k] + REGULARISATION * quadrics[i, 9 + k]
    best, least = wp.inverse(a) * b, float(1.0e30)
    if wp.max(wp.abs(best)) > 0.5:
        for case in range(1, 27):
            x, y, z = case % 3, (case // 3) % 3, case // 9
            system = wp.matrix_from_rows(
                wp.where(x == 0, a[0], wp.vec3(1.0, 0.0, 0.0)),
                wp.where(y == 0, a[1], wp.vec3(0.0, 1.0, 0.0)),
                wp.where(z == 0, a[2], wp.vec3(0.0, 0.0, 1.0)),
            )
            right = wp.vec3(
                wp.where(x == 0, b[0], float(x) - 1.5),
                wp.where(y == 0, b[1], float(y) - 1.5),
                wp.where(z == 0, b[2], float(z) - 1.5),
            )
            point = wp.inverse(system) * right
            error = wp.dot(point, a * point) - 2.0 * wp.dot(b, point)
            if wp.max(wp.abs(point)) <= 0.5 + 1.0e-6 and error < least:
                best, least = point, error
    solved[i] = best
