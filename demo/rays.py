"""The compiled inner loop of the LiDAR: rays against triangles."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def cast(  # type: ignore[no-untyped-def]
    order, poses, spans, verts, tris, rgb, normals, origin, heading,
    sines, cosines, azimuths, reach, hits, power,
):
    """Shortens the rays of a spinning LiDAR to the first triangle they hit.

    ``hits`` (rings, azimuths) holds ranges and starts at the ground's;
    ``power`` the colour brightness times the cosine at the hit.
    """
    rings, columns = hits.shape
    for n in range(len(order)):
        obj = order[n]
        x0, y0, z0, yaw = poses[obj]
        c, s = np.cos(yaw), np.sin(yaw)
        v0, v1, t0, t1 = spans[obj]
        if (x0 - origin[0]) ** 2 + (y0 - origin[1]) ** 2 > reach * reach:
            continue
        count = v1 - v0
        pts = np.empty((count, 3))
        for i in range(count):
            lx, ly, lz = verts[v0 + i]
            pts[i, 0] = x0 + c * lx - s * ly - origin[0]
            pts[i, 1] = y0 + s * lx + c * ly - origin[1]
            pts[i, 2] = z0 + lz - origin[2]
        for t in range(t0, t1):
            a, b, d = pts[tris[t, 0]], pts[tris[t, 1]], pts[tris[t, 2]]
            nx = c * normals[t, 0] - s * normals[t, 1]
            ny = s * normals[t, 0] + c * normals[t, 1]
            nz = normals[t, 2]
            plane = nx * a[0] + ny * a[1] + nz * a[2]
            if plane >= -1e-9:
                continue
            # Window of columns: angles relative to the first corner.
            first = np.arctan2(a[1], a[0])
            low = high = 0.0
            for corner in (b, d):
                turn = np.arctan2(corner[1], corner[0]) - first
                if turn > np.pi:
                    turn -= 2 * np.pi
                if turn < -np.pi:
                    turn += 2 * np.pi
                low, high = min(low, turn), max(high, turn)
            step = 2 * np.pi / columns
            begin = int(np.floor((first + low - heading) / step)) - 1
            end = int(np.ceil((first + high - heading) / step)) + 1
            bright = (rgb[t, 0] + rgb[t, 1] + rgb[t, 2]) / 3.0
            for col in range(begin, end + 1):
                m = col % columns
                ca, sa = azimuths[m, 0], azimuths[m, 1]
                for ring in range(rings):
                    px = cosines[ring] * ca
                    py = cosines[ring] * sa
                    pz = sines[ring]
                    facing = nx * px + ny * py + nz * pz
                    if facing >= -1e-9:
                        continue
                    far = plane / facing
                    if far >= hits[ring, m] or far < 0.6:
                        continue
                    qx, qy, qz = px * far, py * far, pz * far
                    inside = True
                    for e in range(3):
                        if e == 0:
                            p, q = a, b
                        elif e == 1:
                            p, q = b, d
                        else:
                            p, q = d, a
                        ux, uy, uz = q[0] - p[0], q[1] - p[1], q[2] - p[2]
                        fx, fy, fz = qx - p[0], qy - p[1], qz - p[2]
                        side = (
                            (uy * fz - uz * fy) * nx
                            + (uz * fx - ux * fz) * ny
                            + (ux * fy - uy * fx) * nz
                        )
                        if side < -1e-9:
                            inside = False
                            break
                    if inside:
                        hits[ring, m] = far
                        power[ring, m] = bright * -facing
