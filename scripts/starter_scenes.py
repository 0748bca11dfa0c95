"""The scenes of make_starters.py. Each takes the scale it is painted at and returns a finished picture."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from starter_paint import Array, View, blur, fbm, finish, lit, mix, noise, ramp, rgb, ridged, slope, step
from starter_plants import fir, firs, lone_tree, stalks


def dunes(scale: int) -> Image.Image:
    """Long dunes towards a low sun, sand blowing off the crests."""
    view = View(scale, horizon=0.40, zoom=1.05)
    # The light comes from further right than the disc stands, so that the flanks show their form.
    sun = np.array([0.60, 0.27, 0.72], np.float32)
    sun /= np.linalg.norm(sun)

    def height(x: Array, z: Array) -> Array:
        x = x + 9 * noise(x / 70, z / 55, 3)
        n = noise(x / 62 + 0.31, z / 78 + 0.15, 5)
        crest = 1 - np.sqrt(n * n + 0.0006) * 1.35
        low = noise(x / 210, z / 260, 11)
        small = 1 - np.sqrt(noise(x / 24 + 4, z / 34, 8) ** 2 + 0.004)
        return np.asarray(13 * np.clip(crest, 0, 1) ** 1.6 + 8 * low + 1.5 * small, np.float32)

    eye = float(height(np.zeros(1, np.float32), np.zeros(1, np.float32) + 6)[0]) + 9
    depth, wx = view.terrain(height, eye, 5, 1500)
    ground = np.isfinite(depth)
    z = np.where(ground, depth, 1500).astype(np.float32)

    away = np.hypot(view.dx - 0.265, view.dy - 0.072)
    sky = ramp(
        view.dy, (-0.02, "#ecbd95"), (0.05, "#d9b096"), (0.13, "#9a9d9f"), (0.24, "#4a6f8b"), (0.4, "#1f4462")
    )
    glow = rgb("#ffc585") * (0.8 * np.exp(-away * 9) + 0.42 * np.exp(-away * 3.4))[..., None]
    disc = rgb("#ffe9bd") * (2.2 * step(0.0245, 0.0215, away))[..., None]
    sky = sky * 0.62 + glow + disc
    cirrus = step(0.1, 0.75, fbm(view.x * 2.2 + view.y * 2, view.y * 9 - view.x, 5, 21)) * step(
        0.02, 0.25, view.dy
    )
    sky = mix(sky, sky + rgb("#ffe3bd") * 0.3, cirrus)

    eps = 0.05 + z * 0.004
    normal = slope(height, wx, z, eps)
    ripple = noise(wx * 1.1 + 2.2 * noise(wx / 7, z / 7, 2), z * 3.4 + 1.5 * noise(wx / 5, z / 9, 4), 6)
    normal[..., 2] += ripple * 0.13 * np.exp(-z / 60)
    normal[..., 0] += ripple * 0.05 * np.exp(-z / 60)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    light = np.clip(normal @ sun, 0, None) * lit(height, wx, z, sun, 160)
    sand = mix(rgb("#c98a58"), rgb("#b87347"), step(-0.4, 0.6, fbm(wx / 30, z / 30, 4, 9)))
    shade = rgb("#5f6f94") * (0.42 + 0.38 * normal[..., 1:2]) * 0.62
    warm = rgb("#ffc98a") * 2.9 * light[..., None]
    bounce = rgb("#d98a4a") * 0.12
    land = sand * (shade + warm + bounce)
    haze = 1 - np.exp(-(((z - 8).clip(0) / 430) ** 0.95))
    air = ramp(view.dy * 0, (0, "#e0b491")) * 0.55 + glow * 0.8
    land = mix(land, air, haze)
    dust = np.exp(-((np.log(z / 120)) ** 2)) * step(0.05, 0.8, fbm(wx / 26, z / 60 + view.y * 12, 5, 14))
    land = mix(land, air, dust * 0.28)
    return finish(np.where(ground[..., None], land, sky), 1, exposure=0.80, saturation=1.0, bloom=0.14)


def sunset(scale: int) -> Image.Image:
    """The sun on the sea's horizon under long clouds."""
    view = View(scale, horizon=0.54, zoom=1.0)
    sun_x, sun_y = -0.085, 0.016

    def sky(dx: Array, dy: Array) -> Array:
        dy = np.maximum(dy, 0.0005)
        away = np.hypot(dx - sun_x, (dy - sun_y) * 1.25)
        base = ramp(
            dy,
            (0, "#f0a25a"),
            (0.04, "#e07e52"),
            (0.10, "#b2575b"),
            (0.19, "#6b3e62"),
            (0.32, "#382f58"),
            (0.55, "#1a1d3e"),
        )
        base = base + rgb("#ffc27a") * (0.75 * np.exp(-away * 11) + 0.24 * np.exp(-away * 4))[..., None]
        # Clouds lie on a plane overhead: far ones are thin stripes.
        px, pz = dx / (dy + 0.07), 1 / (dy + 0.07)
        field = fbm(px * 0.42 + 3, pz * 0.62 + 0.5 * noise(px * 0.3, pz * 0.2, 9), 6, 31, 0.55)
        body = step(-0.12, 0.34, field) * step(0.0, 0.05, dy)
        rim = step(-0.1, 0.18, field) * step(0.5, 0.12, field)
        under = ramp(dy, (0, "#f08a4e"), (0.1, "#d9645c"), (0.25, "#7c4468"), (0.5, "#352f55"))
        fire = rgb("#ff9a5c") * (rim * (0.16 + 1.1 * np.exp(-away * 3.4)))[..., None]
        return np.asarray(mix(base, under * 0.5, body * 0.85) + fire * body[..., None], np.float32)

    air = sky(view.dx, view.dy)
    away = np.hypot(view.dx - sun_x, view.dy - sun_y)
    air = air + rgb("#ffd892") * (2.4 * step(0.0275, 0.0250, away))[..., None]

    down = np.maximum(-view.dy, 0.0006)
    z = 3.2 / down
    x = view.dx * z
    fade = np.exp(-z / 900)
    swell = (
        0.55 * noise(x / 26, z / 9, 41)
        + 0.3 * noise(x / 10 + 2, z / 4.2, 42)
        + 0.22 * fbm(x / 3.6, z / 1.5, 4, 43)
    )
    tilt = 0.55 * noise(x / 22 + 9, z / 8, 44) + 0.4 * fbm(x / 5, z / 2.3, 4, 45)
    # A wave seen at a low angle mirrors sky from higher up; far water averages many waves.
    up = down * 0.9 + np.abs(swell) * (0.17 * fade + 0.035) + 0.012
    side = view.dx + tilt * (0.10 * fade + 0.02)
    mirror = sky(side, up)
    facing = np.clip(1 - (down / (down + 0.30)), 0, 1) ** 1.5
    water = mix(rgb("#1d1b3d") * 0.5, mirror, 0.16 + 0.66 * facing)
    across = (view.dx - sun_x) / (0.030 + 0.10 * np.sqrt(down) + 0.05 * down)
    sparkle = fbm(x / 2.6 + 0.4 * swell, z / 0.95, 4, 46) + 0.55 * swell
    path = np.exp(-(across**2)) * step(0.02, 0.5, sparkle - 0.30 * np.abs(across) + 0.32 * np.exp(-down * 14))
    water = water + rgb("#ffcf8f") * (2.6 * path * (0.35 + 0.65 * np.exp(-down * 5)))[..., None]
    edge = step(-0.0012, 0.0012, view.dy)
    haze = (
        rgb("#f0a066")
        * (0.16 * np.exp(-down * 70))[..., None]
        * np.exp(-np.abs(view.dx - sun_x) * 2)[..., None]
    )
    return finish(mix(water + haze, air, edge), 2, exposure=0.78, saturation=1.04, bloom=0.2)


def forest(scale: int) -> Image.Image:
    """Firs on hillsides, each row paler than the one before it."""
    view = View(scale, horizon=0.4, zoom=1.0)
    rng = np.random.default_rng(7)
    u = view.x[0]
    glow = np.exp(-np.hypot((view.x - 0.36) * 1.5, (view.y - 0.16) * 1.5) * 2.6)
    fog = mix(rgb("#8fa19b"), rgb("#eef0e4"), np.clip(glow * 1.25, 0, 1))
    fog = fog * mix(0.82, 1.0, step(-0.2, 0.5, view.y))[..., None]
    picture = fog.copy()
    for seed, top, strength in ((3, 0.27, 0.10), (8, 0.35, 0.17)):
        line = top + 0.11 * (0.5 - ridged(u * 1.7 + seed, u * 0 + seed, 6, seed))
        cover = step(-0.001, 0.001, view.y - line[None, :]) * np.exp(-(view.y - line[None, :]).clip(0) * 6)
        picture = mix(picture, rgb("#5d736d") * 0.8, cover * strength)
    rows = (
        (0.50, 0.030, (0.055, 0.10), 190, 0.80),
        (0.55, 0.045, (0.08, 0.14), 130, 0.66),
        (0.62, 0.055, (0.11, 0.19), 95, 0.50),
        (0.70, 0.060, (0.15, 0.25), 66, 0.34),
        (0.80, 0.065, (0.20, 0.34), 44, 0.19),
        (0.98, 0.070, (0.28, 0.50), 25, 0.08),
        (1.20, 0.080, (0.48, 0.80), 13, 0.0),
    )
    for i, (level, swing, tall, count, pale) in enumerate(rows):
        tilt = (0.5 - u) * (0.10 if i % 2 else -0.12) * (0.4 + i / 6)
        feet = (level + tilt + swing * fbm(u * (2.4 - 0.15 * i), u * 0 + i * 3.1, 3, 60 + i)) * view.h
        cover = firs(view, feet.astype(np.float32), tall, count, rng)
        depth = np.clip((view.y * view.h - feet[None, :]) / (tall[1] * view.h), -1.2, 1)
        drift = fbm(view.x * 2.2 + i, view.y * 6 - i, 5, 80 + i)
        mist = step(-0.75, 0.5, depth + 0.45 * drift) * (0.62 if i < 6 else 0.25)
        tree = mix(rgb("#0a1513") * 0.7, rgb("#24403a"), pale)
        row = mix(tree, fog * 0.97, np.clip(pale + (1 - pale) * mist, 0, 1) * np.ones_like(view.x))
        picture = mix(picture, row, cover)
        veil = np.exp(-(((view.y - level - 0.02) / 0.07) ** 2)) * step(-0.3, 0.7, drift) * (0.34 - 0.035 * i)
        picture = mix(picture, fog, np.clip(veil, 0, 1))
    return finish(picture, 3, exposure=0.74, saturation=0.92, bloom=0.16, contrast=0.16)


def stars(view: View, count: int, seed: int, lowest: float) -> Array:
    """Points of light above `lowest` (share of the height), few bright and many faint."""
    rng = np.random.default_rng(seed)
    sky = np.zeros((view.h, view.w), np.float32)
    x = rng.integers(0, view.w, count)
    y = (rng.random(count) ** 0.8 * lowest * view.h).astype(int)
    sky[y, x] = rng.pareto(1.7, count).clip(0, 12) * view.scale**2
    return blur(sky, 0.6 * view.scale) if view.scale > 1 else sky


def aurora(scale: int) -> Image.Image:
    """Northern lights in folded curtains over snow and a line of firs."""
    view = View(scale, horizon=0.66, zoom=0.95)
    rng = np.random.default_rng(11)
    light = {"low": np.zeros((view.w, view.h), np.float32), "high": np.zeros((view.w, view.h), np.float32)}
    rows = (np.arange(view.h, dtype=np.float32) + 0.5) / view.h
    for i, (base, swing, size, power) in enumerate(
        ((0.50, 0.05, 0.20, 0.55), (0.42, 0.10, 0.34, 1.0), (0.27, 0.12, 0.42, 0.62))
    ):
        t = np.linspace(0, 1, 5000 * scale, dtype=np.float32)
        zero = np.zeros_like(t)
        x = (
            -0.25
            + 1.5 * t
            + 0.13 * fbm(t * 2.6 + i * 7, zero + i, 2, 90 + i)
            + 0.012 * fbm(t * 13, zero, 2, 95 + i)
        )
        foot = (
            base
            + swing * 1.5 * fbm(t * 2.3 + i * 3, zero + 0.5, 3, 100 + i)
            + 0.012 * noise(t * 38, zero, 103)
        )
        rays = 0.45 + 0.55 * step(-0.5, 0.8, noise(t * 80, zero, 105 + i) + 0.6 * noise(t * 260, zero, 108))
        patch = step(-0.55, 0.45, fbm(t * 3.3 + 2, zero + i * 2, 3, 110 + i))
        tall = size * (0.55 + 0.45 * noise(t * 60, zero, 115 + i) + 0.25 * noise(t * 7, zero, 117)).clip(
            0.2, 1.3
        )
        above = foot[:, None] - rows[None, :]
        start = step(-0.014, 0.018, above)
        amount = (power * rays * patch)[:, None] / (5000 * scale) * view.w
        low = start * np.exp(-above.clip(0) / (tall[:, None] * 0.26)) * amount
        high = start * np.exp(-(((above - tall[:, None] * 0.55) / (tall[:, None] * 0.42)) ** 2)) * amount
        columns = np.floor(x * view.w).astype(int)
        inside = (columns >= 0) & (columns < view.w)
        np.add.at(light["low"], columns[inside], low[inside])
        np.add.at(light["high"], columns[inside], high[inside])
    low, high = (blur(layer.T.copy(), 1.2 * scale) for layer in (light["low"], light["high"]))
    sky = ramp(view.y, (0, "#050a1d"), (0.3, "#0a1a38"), (0.55, "#123a52"), (0.68, "#2a6470")) * 0.75
    sky = sky + rgb("#dfe8ff") * (stars(view, 900, 5, 0.66) * 0.20 * np.exp(-low * 2.5))[..., None]
    low, high = (layer / (1 + 0.28 * layer) for layer in (low, high))  # where a fold piles up its light
    sky = sky + rgb("#52f0ab") * (0.95 * low)[..., None] + rgb("#8a6ae0") * (0.20 * high)[..., None]
    sky = sky + rgb("#3fd0b4") * (0.20 * blur(low, 24 * scale))[..., None]

    def height(x: Array, z: Array) -> Array:
        near = 1.9 * fbm(x / 30, z / 34, 4, 120) + 0.10 * noise(x / 2.2, z / 4.5, 124)
        peaks = 205 * ridged(x / 520 + 0.35, z / 560 + 0.2, 7, 126) * step(260, 1150, z)
        return np.asarray(near + peaks - 26 * step(230, 700, z), np.float32)

    depth, wx = view.terrain(height, 5.2, 3, 2600)
    ground = np.isfinite(depth)
    z = np.where(ground, depth, 2600).astype(np.float32)
    normal = slope(height, wx, z, 0.06 + z * 0.003)
    side = np.clip(normal @ np.array([0.55, 0.62, -0.56], np.float32), 0, 1)[..., None]
    overhead = np.clip(normal[..., 1:2], 0, 1) ** 3
    rock = step(0.60, 0.42, normal[..., 1])[..., None] * step(150, 500, z)[..., None]
    snow = mix(rgb("#cfe0f2"), rgb("#31445c"), rock)
    land = snow * (
        rgb("#5a7394") * 0.09 + rgb("#6fe0b4") * 0.075 * overhead + rgb("#b4c8e8") * 0.27 * side**1.5
    )
    sparkle = step(0.62, 1.0, noise(wx * 9, z * 9, 130)) * np.exp(-z / 22)
    land = land * (1 + 0.5 * sparkle)[..., None]
    land = mix(land, rgb("#1d4a58") * 0.55, 1 - np.exp(-((z / 1500) ** 1.2)))
    picture = np.where(ground[..., None], land, sky)
    trees = Image.new("L", (view.w, view.h))
    draw = ImageDraw.Draw(trees)
    for far in np.sort(rng.random(150))[::-1]:
        side_of = -1 if rng.random() < 0.62 else 1
        x = 0.5 + side_of * (0.50 - 0.34 * rng.random() ** 1.4 * (0.5 + 0.5 * far))
        foot = view.horizon + 0.030 + 0.085 * (1 - far) ** 2.2
        tall = (foot - view.horizon) * rng.uniform(0.9, 1.7)
        fir(draw, x * view.w, foot * view.h, tall * view.h, rng)
    cover = np.asarray(trees, np.float32) / 255
    picture = mix(picture, picture * 0.55, blur(np.roll(cover, 2 * scale, 0), 3 * scale) * 0.8)
    near_dark = step(0.60, 0.74, view.y)
    picture = mix(picture, mix(rgb("#1a3a48") * 0.8, rgb("#04090e"), near_dark), cover)
    return finish(picture, 4, exposure=1.05, saturation=0.92, bloom=0.24, contrast=0.12, vignette=0.36)


def moon(scale: int) -> Image.Image:
    """A full moon between thin clouds, ridges in mist."""
    view = View(scale, horizon=0.6, zoom=1.0)
    ratio = view.h / view.w
    mx, my, radius = 0.685, 0.285, 0.088 * ratio
    rx, ry = view.x - mx, (view.y - my) * ratio
    away = np.hypot(rx, ry)
    sky = ramp(view.y, (0, "#0b1020"), (0.35, "#1a2438"), (0.62, "#38445a"), (0.8, "#4d586b")) * 0.72
    sky = sky + rgb("#dfe6ff") * (stars(view, 500, 9, 0.6) * 0.10)[..., None]
    warp = 0.6 * fbm(view.x * 2 + 5, view.y * 3, 3, 150)
    field = fbm(view.x * 2.6 + warp, view.y * 7.5 + 0.8 * warp - view.x, 7, 152, 0.54)
    high = fbm(view.x * 5 + warp * 2, view.y * 19 + view.x * 2, 5, 158)
    density = step(-0.16, 0.62, field + 0.10 * high - 0.10 + 0.22 * step(0.25, 0.6, view.y))
    px, py = rx / radius, ry / radius
    face = 0.95 - 0.52 * step(0.0, 0.5, fbm(px * 1.05 + 3.2, py * 1.05 + 0.6, 5, 160)) * step(
        1.0, 0.55, np.hypot(px + 0.15, py + 0.1)
    )
    face = face + 0.10 * fbm(px * 5, py * 5, 4, 166)
    for cx, cy, size in ((0.18, 0.62, 0.10), (-0.42, -0.2, 0.07), (0.45, 0.1, 0.05), (-0.1, -0.62, 0.06)):
        d = np.hypot(px - cx, py - cy)
        face = (
            face
            + 0.18 * np.exp(-((d / size) ** 2))
            + 0.05 * np.exp(-d * 3.5) * noise(np.arctan2(py - cy, px - cx) * 5, d, 168)
        )
    disc = step(1.0 + 0.02, 1.0 - 0.02, away / radius)
    rim = np.sqrt(np.clip(1 - (away / radius) ** 2, 0, 1))
    body = rgb("#f4f1e6") * (0.74 * face * (0.72 + 0.28 * rim))[..., None]
    halo = 0.42 * np.exp(-((away / 0.060) ** 1.1)) + 0.20 * np.exp(-away / 0.17) + 0.05 * np.exp(-away / 0.5)
    sky = (
        mix(sky, body, disc * (1 - 0.7 * density))
        + rgb("#b9c6e6") * (halo * (1 - 0.35 * density) * (1 - 0.9 * disc) * 0.55)[..., None]
    )
    # Thin cloud near the moon scatters its light forwards; thick cloud is a shadow with a bright edge.
    shine = density * (1.15 - density) * (2.6 * np.exp(-away / 0.085) + 0.75 * np.exp(-away / 0.24) + 0.07)
    cloud = mix(rgb("#151c2c"), rgb("#46536b"), step(0.0, 0.9, view.y)) * 0.9
    sky = (
        mix(sky, cloud, density * 0.62 * (1 - 0.5 * disc))
        + rgb("#d5dcf0") * (shine * 0.42 * (1 - 0.75 * disc))[..., None]
    )
    picture = sky
    u = view.x[0]
    mist = mix(rgb("#5f6c84"), rgb("#96a3bd"), np.exp(-(rx**2) * 9)) * 0.62
    layers = (
        (0.66, 0.16, 2.6, 0.62),
        (0.71, 0.15, 2.2, 0.44),
        (0.78, 0.17, 1.8, 0.26),
        (0.86, 0.15, 1.5, 0.12),
        (0.96, 0.16, 1.25, 0.0),
    )
    for i, (level, rise, stretch, pale) in enumerate(layers):
        crest = level + rise * (0.42 - ridged(u * stretch + 1.7 * i + 0.4, u * 0 + 2.3 * i, 8, 170 + 3 * i))
        below = view.y - crest[None, :]
        cover = step(-0.0009, 0.0009, below)
        rough = 1 + 0.25 * fbm(view.x * 22, view.y * 30 - view.x * 9, 4, 190 + i)
        drift = 0.5 + 0.7 * fbm(view.x * 3 + i, view.y * 9, 4, 195 + i)
        deep = step(0.0, 0.20, below) * (0.80 - 0.12 * i) * np.clip(drift, 0, 1.2)
        dark = mix(rgb("#05080f"), rgb("#2b3649"), pale) * rough[..., None]
        picture = mix(picture, mix(dark, mist, np.clip(pale * 0.72 + deep, 0, 0.95)), cover)
    return finish(picture, 5, exposure=1.0, saturation=0.85, bloom=0.16, contrast=0.14, vignette=0.32)


def wheat(scale: int) -> Image.Image:
    """A lone tree in a ripe field under fair-weather clouds."""
    view = View(scale, horizon=0.58, zoom=1.0)
    rng = np.random.default_rng(21)
    sky = ramp(
        view.dy, (0, "#f3e6cc"), (0.07, "#dfdccb"), (0.2, "#9db6bf"), (0.42, "#5c8aa5"), (0.6, "#3f6f8f")
    )
    up = np.maximum(view.dy, 0.004) + 0.06
    cx, cz = view.dx / up, 1 / up

    def vapour(dx: float, dz: float) -> Array:
        x, z = cx * 0.62 + dx, cz * 0.75 + dz
        return fbm(x + 0.25 * noise(x * 2, z * 2, 203), z + 1.3, 7, 200, 0.52)

    here, lit_side = vapour(0, 0), vapour(-0.10, -0.09)
    cloud = step(0.06, 0.46, here) * step(0.015, 0.08, view.dy)
    bright = np.clip(0.78 + 1.3 * (here - lit_side) - 0.35 * step(0.25, 0.8, here), 0.35, 1.15)
    sky = mix(sky, mix(rgb("#9fb0bd"), rgb("#fffaf0"), bright), cloud * 0.92)
    picture = sky * 0.95
    u = view.x[0]
    for i, (level, colour) in enumerate(((0.548, "#a9b7b4"), (0.566, "#93a398"), (0.585, "#7d8b70"))):
        crest = level + 0.020 * fbm(u * (2.0 + i) + i, u * 0, 4, 210 + i)
        cover = step(-0.001, 0.001, view.y - crest[None, :])
        patch = 1 + 0.14 * fbm(view.x * 16, view.y * 130, 3, 215 + i)
        picture = mix(picture, rgb(colour) * 0.8 * patch[..., None], cover)

    def height(x: Array, z: Array) -> Array:
        return np.asarray(1.6 * noise(x / 70 + 0.3, z / 80, 220) - 0.004 * z, np.float32)

    depth, wx = view.terrain(height, 2.6, 2, 330)
    ground = np.isfinite(depth)
    z = np.where(ground, depth, 330).astype(np.float32)
    gust = fbm(wx / 9 + 0.4 * noise(wx / 5, z / 12, 223), z / 16, 4, 222)
    fine = fbm(wx * 2.2, z * 0.9, 3, 226) * np.exp(-z / 45) + 0.6 * noise(wx * 0.9, z * 0.12, 228)
    shade = step(-0.35, 0.25, fbm(wx / 70 + 2, z / 90, 3, 230))
    gold = mix(rgb("#a98a45"), rgb("#e6cf86"), step(-0.6, 0.7, gust + 0.35 * fine))
    land = gold * (0.62 + 0.36 * shade)[..., None] * (0.95 + 0.16 * fine)[..., None]
    land = mix(land, rgb("#e0d6b4") * 0.8, 1 - np.exp(-z / 300))
    picture = np.where(ground[..., None], land, picture)
    picture = lone_tree(view, picture, 0.655 * view.w, 0.640 * view.h, 0.42 * view.h, rng)
    return finish(stalks(view, picture, rng), 6, exposure=0.74, saturation=0.95, bloom=0.14, contrast=0.12)
