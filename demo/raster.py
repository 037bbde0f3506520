"""The compiled inner loops: z-buffered triangles, ground and sky.

Everything is plain arithmetic on arrays without fast-math, so the same input
gives the same bytes on every run.
"""

from __future__ import annotations

import numpy as np
from numba import njit

NEAR = 0.25


@njit(cache=True)
def _fill(  # type: ignore[no-untyped-def]
    ax, ay, aw, bx, by, bw, cx, cy, cw, r, g, b, glow, ident, bias,
    depth, colour, shine, ids, stamp, whole,
):
    """Fills one triangle; w is 1/z, which is linear on the screen."""
    height, width = depth.shape
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if abs(area) < 1e-9:
        return
    if area < 0:
        bx, by, bw, cx, cy, cw = cx, cy, cw, bx, by, bw
        area = -area
    wx = ((bw - aw) * (cy - ay) - (cw - aw) * (by - ay)) / area
    wy = ((cw - aw) * (bx - ax) - (bw - aw) * (cx - ax)) / area
    low = max(0, int(np.ceil(min(ay, by, cy) - 0.5)))
    high = min(height - 1, int(np.floor(max(ay, by, cy) - 0.5)))
    for row in range(low, high + 1):
        y = row + 0.5
        left = 0.0
        right = float(width)
        empty = False
        for edge in range(3):
            if edge == 0:
                px, py, qx, qy = ax, ay, bx, by
            elif edge == 1:
                px, py, qx, qy = bx, by, cx, cy
            else:
                px, py, qx, qy = cx, cy, ax, ay
            dy = qy - py
            # Inside: (qx-px)*(y-py) - (x-px)*dy >= 0.
            value = (qx - px) * (y - py)
            if abs(dy) < 1e-12:
                if value < 0:
                    empty = True
            elif dy > 0:
                right = min(right, px + value / dy)
            else:
                left = max(left, px + value / dy)
        if empty:
            continue
        start = max(0, int(np.ceil(left - 0.5)))
        stop = min(width - 1, int(np.ceil(right - 0.5)) - 1)
        for col in range(start, stop + 1):
            if ident > 0 and stamp[row, col] != ident:
                stamp[row, col] = ident
                whole[ident] += 1
            w = (aw + wx * (col + 0.5 - ax) + wy * (y - ay)) * bias
            if w > depth[row, col]:
                depth[row, col] = w
                colour[row, col, 0] = r
                colour[row, col, 1] = g
                colour[row, col, 2] = b
                shine[row, col] = glow
                ids[row, col] = ident


@njit(cache=True)
def draw(  # type: ignore[no-untyped-def]
    order, poses, spans, radii, mids, verts, tris, rgb, normals, kinds,
    marks, lit, rot, eye, fx, fy, cx, cy, sun, sun_rgb, sky_rgb, fog_rgb,
    fog, beam, beam_dir, night, depth, colour, shine, ids, stamp, whole,
):
    """Draws the objects of ``order`` into the buffers.

    Poses are x, y, z, yaw in the world; ``rot`` (3, 3) takes world to
    camera; ``marks`` holds the id of each object, 0 for scenery, and
    ``lit`` the street light it stands in.
    """
    width = depth.shape[1]
    ground = np.zeros((4, 3))
    clipped = np.zeros((4, 3))
    for n in range(len(order)):
        obj = order[n]
        x0, y0, z0, yaw = poses[obj]
        c, s = np.cos(yaw), np.sin(yaw)
        dx, dy, dz = x0 - eye[0], y0 - eye[1], z0 + mids[obj] - eye[2]
        mz = rot[2, 0] * dx + rot[2, 1] * dy + rot[2, 2] * dz
        radius = radii[obj]
        if mz < -radius:
            continue
        mx = rot[0, 0] * dx + rot[0, 1] * dy + rot[0, 2] * dz
        # Sides of the view: compare with the cone of the widest half angle.
        tan = max(cx, width - cx) / fx
        if abs(mx) - radius * np.sqrt(1 + tan * tan) > max(mz, 0.0) * tan:
            continue
        distance = np.sqrt(dx * dx + dy * dy)
        haze = 1.0 - np.exp(-distance / fog)
        v0, v1, t0, t1 = spans[obj]
        count = v1 - v0
        cam = np.empty((count, 3))
        wld = np.empty((count, 3))
        for i in range(count):
            lx, ly, lz = verts[v0 + i]
            wx = x0 + c * lx - s * ly
            wy = y0 + s * lx + c * ly
            wz = z0 + lz
            wld[i, 0], wld[i, 1], wld[i, 2] = wx, wy, wz
            ex, ey, ez = wx - eye[0], wy - eye[1], wz - eye[2]
            for k in range(3):
                cam[i, k] = (
                    rot[k, 0] * ex + rot[k, 1] * ey + rot[k, 2] * ez
                )
        ident = marks[obj]
        for t in range(t0, t1):
            i, j, k = tris[t, 0], tris[t, 1], tris[t, 2]
            nx = c * normals[t, 0] - s * normals[t, 1]
            ny = s * normals[t, 0] + c * normals[t, 1]
            nz = normals[t, 2]
            tx = wld[i, 0] - eye[0]
            ty = wld[i, 1] - eye[1]
            tz = wld[i, 2] - eye[2]
            if nx * tx + ny * ty + nz * tz >= 0:
                continue
            if cam[i, 2] < NEAR and cam[j, 2] < NEAR and cam[k, 2] < NEAR:
                continue
            toward = max(0.0, nx * sun[0] + ny * sun[1] + nz * sun[2])
            up = 0.62 + 0.38 * nz
            span = max(0.5, np.sqrt(tx * tx + ty * ty))
            lamp = lit[obj] * (0.65 + 0.35 * nz)
            if beam > 0:
                front = (tx * beam_dir[0] + ty * beam_dir[1]) / span
                face = -(nx * tx + ny * ty) / span
                if front > 0 and face > 0:
                    lamp += (
                        beam * front ** 10 * (0.25 + 0.75 * face)
                        / (1 + (span / 17.0) ** 2)
                    )
            kind = kinds[t]
            glow = 0.0
            shade_r = sky_rgb[0] * up + sun_rgb[0] * toward + lamp
            shade_g = sky_rgb[1] * up + sun_rgb[1] * toward + lamp * 0.93
            shade_b = sky_rgb[2] * up + sun_rgb[2] * toward + lamp * 0.8
            if kind == 2 and night > 0:
                # One window in three is lit, the same ones all the time.
                if (tris[t, 0] * 7919 + obj * 4051) % 1000 < 330:
                    shade_r, shade_g, shade_b = 3.2, 2.7, 1.9
                    glow = 0.15
            elif kind == 1:
                shade = 0.75 + 0.45 * night
                shade_r, shade_g, shade_b = shade, shade, shade
                glow = night
            elif kind == 3:
                shade = 0.7 + 0.5 * night
                shade_r, shade_g, shade_b = shade, shade, shade
                glow = 0.5 * night
            haze_t = haze * (1 - 0.8 * glow)
            red = min(255.0, rgb[t, 0] * shade_r)
            green = min(255.0, rgb[t, 1] * shade_g)
            blue = min(255.0, rgb[t, 2] * shade_b)
            red = red * (1 - haze_t) + fog_rgb[0] * haze_t
            green = green * (1 - haze_t) + fog_rgb[1] * haze_t
            blue = blue * (1 - haze_t) + fog_rgb[2] * haze_t
            ground[0], ground[1], ground[2] = cam[i], cam[j], cam[k]
            size = 0
            for e in range(3):
                p, q = ground[e], ground[(e + 1) % 3]
                if p[2] >= NEAR:
                    clipped[size] = p
                    size += 1
                if (p[2] >= NEAR) != (q[2] >= NEAR):
                    share = (NEAR - p[2]) / (q[2] - p[2])
                    clipped[size] = p + share * (q - p)
                    size += 1
            for e in range(size):
                w = 1.0 / clipped[e, 2]
                clipped[e, 0] = fx * clipped[e, 0] * w + cx
                clipped[e, 1] = fy * clipped[e, 1] * w + cy
                clipped[e, 2] = w
            for e in range(1, size - 1):
                _fill(
                    clipped[0, 0], clipped[0, 1], clipped[0, 2],
                    clipped[e, 0], clipped[e, 1], clipped[e, 2],
                    clipped[e + 1, 0], clipped[e + 1, 1],
                    clipped[e + 1, 2], red, green, blue, glow, ident, 1.0,
                    depth, colour, shine, ids, stamp, whole,
                )


@njit(cache=True)
def backdrop(  # type: ignore[no-untyped-def]
    levels0, levels1, levels2, levels3, cell, s_min, d_min, bend, sky,
    rot, eye, fx, fy, cx, cy, sun_rgb, sky_rgb, sun_up, fog_rgb, fog,
    beam, beam_dir, cover, out, road,
):
    """Paints sky and ground where ``cover`` says that they can be seen.

    The ground is a texture over the road's own coordinates (along, across)
    in four resolutions; ``road`` (H, W) is set to 1 on ground pixels.
    """
    height, width = road.shape
    sky_h, sky_w = sky.shape[0], sky.shape[1]
    for v in range(height):
        for u in range(width):
            if not cover[v, u]:
                continue
            rx, ry = (u + 0.5 - cx) / fx, (v + 0.5 - cy) / fy
            wx = rot[0, 0] * rx + rot[1, 0] * ry + rot[2, 0]
            wy = rot[0, 1] * rx + rot[1, 1] * ry + rot[2, 1]
            wz = rot[0, 2] * rx + rot[1, 2] * ry + rot[2, 2]
            if wz > -0.006:
                azimuth = (np.arctan2(wy, wx) / (2 * np.pi) + 0.5) * sky_w
                flat = np.sqrt(wx * wx + wy * wy)
                rise = np.arctan2(wz, flat) / 0.7
                row = sky_h * (1 - min(0.999, max(0.0, rise)))
                r0 = min(sky_h - 1, max(0, int(row)))
                a0 = int(azimuth) % sky_w
                for k in range(3):
                    out[v, u, k] = sky[r0, a0, k]
                continue
            road[v, u] = 1
            far = -eye[2] / wz
            x, y = eye[0] + far * wx, eye[1] + far * wy
            if abs(bend) < 1e-7:
                along, across = x, y
            else:
                radius = 1.0 / abs(bend)
                side = 1.0 if bend > 0 else -1.0
                yy = radius - side * y
                along = np.arctan2(x, yy) * radius
                across = side * (radius - np.sqrt(x * x + yy * yy))
            span = np.sqrt((x - eye[0]) ** 2 + (y - eye[1]) ** 2)
            # Size of the pixel on the ground: wide across, longer along.
            foot = far / fx
            foot = np.sqrt(foot * foot * min(30.0, far / eye[2]))
            level = 0
            tex = levels0
            step = cell
            if foot > cell * 5.6:
                tex, level = levels3, 3
            elif foot > cell * 2.8:
                tex, level = levels2, 2
            elif foot > cell * 1.4:
                tex, level = levels1, 1
            step = cell * 2 ** level
            gu = (along - s_min) / step - 0.5
            gv = (across - d_min) / step - 0.5
            rows, cols = tex.shape[0], tex.shape[1]
            gu = min(cols - 1.001, max(0.0, gu))
            gv = min(rows - 1.001, max(0.0, gv))
            iu, iv = int(gu), int(gv)
            fu, fv = gu - iu, gv - iv
            lamp = 0.0
            if beam > 0:
                front = (
                    (x - eye[0]) * beam_dir[0] + (y - eye[1]) * beam_dir[1]
                ) / max(span, 0.5)
                if front > 0:
                    lamp = (
                        beam * front ** 10 * 0.8 / (1 + (span / 13.0) ** 2)
                    )
            haze = 1.0 - np.exp(-span / fog)
            for k in range(3):
                value = (
                    (tex[iv, iu, k] * (1 - fu) + tex[iv, iu + 1, k] * fu)
                    * (1 - fv)
                    + (tex[iv + 1, iu, k] * (1 - fu)
                       + tex[iv + 1, iu + 1, k] * fu) * fv
                )
                light = sky_rgb[k] + sun_rgb[k] * sun_up + lamp
                value = min(255.0, value * light)
                out[v, u, k] = value * (1 - haze) + fog_rgb[k] * haze


@njit(cache=True)
def coverage(  # type: ignore[no-untyped-def]
    depth, cover
):
    """Marks the pixels whose 2 x 2 samples are not all taken by objects."""
    height, width = cover.shape
    for v in range(height):
        for u in range(width):
            cover[v, u] = (
                depth[2 * v, 2 * u] == 0.0
                or depth[2 * v, 2 * u + 1] == 0.0
                or depth[2 * v + 1, 2 * u] == 0.0
                or depth[2 * v + 1, 2 * u + 1] == 0.0
            )


@njit(cache=True)
def resolve(  # type: ignore[no-untyped-def]
    depth, colour, shine, ids, back, out, glow, stats
):
    """Averages 2 x 2 samples; fills per id: count, x0, y0, x1, y1."""
    height, width = out.shape[0], out.shape[1]
    for v in range(height):
        for u in range(width):
            r = g = b = e = 0.0
            for dv in range(2):
                for du in range(2):
                    y, x = 2 * v + dv, 2 * u + du
                    if depth[y, x] > 0:
                        r += colour[y, x, 0]
                        g += colour[y, x, 1]
                        b += colour[y, x, 2]
                        e += shine[y, x]
                        i = ids[y, x]
                        if i > 0:
                            stats[i, 0] += 1
                            stats[i, 1] = min(stats[i, 1], x)
                            stats[i, 2] = min(stats[i, 2], y)
                            stats[i, 3] = max(stats[i, 3], x + 1)
                            stats[i, 4] = max(stats[i, 4], y + 1)
                    else:
                        r += back[v, u, 0]
                        g += back[v, u, 1]
                        b += back[v, u, 2]
            out[v, u, 0] = r * 0.25
            out[v, u, 1] = g * 0.25
            out[v, u, 2] = b * 0.25
            glow[v, u] = e * 0.25
