"""Editing of decoded samples with pydub, inside the child process: gain, silence, 16-bit PCM.

A block is a float32 array (channels, samples) from SoundReader. pydub opens no file here and starts no
program. Each function works on one block, so that memory does not grow with the length of the sound.
"""

from __future__ import annotations

import warnings

import numpy as np

from backend.media.sound_reader import Block

with warnings.catch_warnings():
    # pydub warns at import where no ffmpeg program is installed, which it needs only to open and save files.
    warnings.simplefilter("ignore")
    from pydub import AudioSegment
    from pydub.utils import db_to_float

HEADROOM_DB = 24.0
"""How far samples of a floating-point file may exceed full scale before gain without being clipped."""


def pcm16(block: Block, rate: int, gain_db: float | None = None) -> AudioSegment:
    """The block as a 16-bit segment of the same rate and channels, each sample rounded and clipped at full
    scale. Without a gain a 16-bit source is unchanged."""
    values = block.astype(np.float64)
    if gain_db is None:
        return _segment(values * 2**15, rate, 2)
    gain_db += HEADROOM_DB
    # pydub truncates to 16 bits: half a 16-bit step, counted before the gain, makes that a rounding.
    values = values * (2**31 / db_to_float(HEADROOM_DB)) + 2**15 / db_to_float(gain_db)
    return _segment(values, rate, 4).apply_gain(gain_db).set_sample_width(2)


def silence(samples: int, rate: int, channels: int) -> AudioSegment:
    """`samples` samples of 16-bit silence in each channel."""
    # pydub takes milliseconds and rounds the number of samples down.
    milliseconds = 1000 * (samples + 0.5) / rate
    return AudioSegment.silent(milliseconds, frame_rate=rate).set_channels(channels)


def _segment(values: np.ndarray, rate: int, width: int) -> AudioSegment:
    """Signed integer PCM of `width` bytes a sample; `values`: (channels, samples) in units of one step."""
    top = 2 ** (8 * width - 1)
    samples = np.clip(np.rint(values.T), -top, top - 1).astype(f"<i{width}")
    return AudioSegment(samples.tobytes(), sample_width=width, frame_rate=rate, channels=len(values))
