"""A short sung phrase for make_samples.py: harmonics of a voice, shaped by the formants of vowels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float64]
RATE = 32_000
FORMANTS = {
    "a": ((800, 80), (1150, 90), (2900, 120), (3900, 130)),
    "e": ((400, 60), (1600, 80), (2700, 120), (3300, 150)),
    "i": ((350, 50), (1700, 100), (2700, 120), (3700, 150)),
    "o": ((450, 70), (800, 80), (2830, 100), (3500, 130)),
    "u": ((325, 50), (700, 60), (2530, 170), (3500, 180)),
    "m": ((250, 60), (900, 200), (2200, 300), (3000, 400)),
}
"""Vowel (and a hum) -> centre and bandwidth in Hz of its four formants, of an alto."""
LEVELS = (1.0, 0.5, 0.16, 0.08)
PHRASE = (
    ("m", 220.0, 0.30), ("a", 220.0, 0.55), ("e", 261.6, 0.40), ("i", 293.7, 0.55), ("o", 329.6, 0.75),
    ("m", 329.6, 0.15), ("a", 293.7, 0.45), ("u", 261.6, 0.45), ("o", 246.9, 0.40), ("a", 220.0, 1.20),
)  # fmt: skip
"""(vowel, pitch in Hz, seconds) of each note."""
GLIDE = 0.07  # seconds in which one note turns into the next


def shape(frequency: Sound, vowel: str) -> Sound:
    """How strongly the mouth lets each frequency pass when it forms this vowel."""
    gain = np.zeros_like(frequency)
    for (centre, width), level in zip(FORMANTS[vowel], LEVELS, strict=True):
        gain += level / (1.0 + ((frequency - centre) / (1.5 * width)) ** 2)
    return np.asarray(gain * (0.35 if vowel == "m" else 1.0))


def sung() -> Sound:
    """The phrase, mono, -1 to 1."""
    seconds = sum(note[2] for note in PHRASE) + 0.4
    t = np.arange(round(seconds * RATE)) / RATE
    edges = np.cumsum([0.0, *(note[2] for note in PHRASE)])
    pitch = np.interp(t, *_steps(edges, [note[1] for note in PHRASE]))
    pitch *= 1.0 + 0.011 * np.sin(2 * np.pi * 5.3 * t) * np.clip(t * 1.2, 0, 1)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    weights = [
        np.interp(t, *_steps(edges, [float(number == n) for number in range(len(PHRASE))]))
        for n in range(len(PHRASE))
    ]
    voice = np.zeros_like(t)
    for harmonic in range(1, 22):
        gain = sum(
            weight * shape(pitch * harmonic, note[0]) for weight, note in zip(weights, PHRASE, strict=True)
        )
        voice += np.asarray(gain) * np.sin(harmonic * phase) / harmonic**0.75
    end = edges[-1]
    voice *= np.clip(t / 0.08, 0, 1) * np.clip((end - t) / 0.35, 0, 1)
    breath = np.random.default_rng(7).normal(0, 0.004, t.size) * np.clip((end - t) / 0.35, 0, 1)
    return _room(voice / np.abs(voice).max() + breath)


def _steps(edges: Sound, values: list[float]) -> tuple[Sound, Sound]:
    """Corners of a curve that holds each value and glides to the next."""
    times, held = [], []
    for number, value in enumerate(values):
        times += [edges[number] + GLIDE * (number > 0), edges[number + 1]]
        held += [value, value]
    return np.array(times), np.array(held)


def _room(dry: Sound) -> Sound:
    """A little reverberation, then full level."""
    tail = round(0.35 * RATE)
    echo = np.random.default_rng(3).normal(0, 1, tail) * np.exp(-np.arange(tail) / (0.07 * RATE))
    size = 1 << (dry.size + tail).bit_length()
    wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(echo, size), size)[: dry.size]
    mixed = dry + 0.16 * wet / max(1e-9, np.abs(wet).max())
    return np.asarray(0.8 * mixed / np.abs(mixed).max())
