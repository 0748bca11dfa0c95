/* One clock for two clips: studio.pairClock([{video, fps, frames}, ...], changed). A moment is in seconds and the same
   for both; a clip that is shorter holds its last frame. Seeking shows whole frames: the middle of a frame's span. While they
   play, the longer clip leads, and the other one is sped up or slowed down a little until it is in step again. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const EARLY = 0.01; // a moment this share of a frame before its border counts as the next frame
  const JUMP = 0.3; // seconds apart, from which a clip is put in step at once
  const LATE = 0.01; // seconds apart that cannot be seen
  const ENOUGH = 3; // HTMLMediaElement.HAVE_FUTURE_DATA

  studio.pairClock = (clips, changed) => {
    const moving = clips.filter(({ video, frames }) => video && frames > 0);
    const lasts = ({ fps, frames }) => frames / fps;
    const finest = Math.max(1, ...moving.map(({ fps }) => fps));
    const length = Math.max(0, ...moving.map(lasts));
    const leader = moving.find((clip) => lasts(clip) === length);
    const steps = Math.max(1, ...moving.map((clip) => Math.round(lasts(clip) * finest)));
    let moment = 0, playing = false, timer = 0, rate = 1, ended = false;

    const frameAt = ({ fps, frames }, seconds) => Math.min(frames - 1, Math.max(0, Math.floor(seconds * fps + EARLY)));
    const middle = (clip, seconds) => (frameAt(clip, seconds) + 0.5) / clip.fps;
    const stepAt = (seconds) => Math.min(steps - 1, Math.max(0, Math.floor(seconds * finest + EARLY)));
    const put = (clip, seconds) => {
      const wanted = middle(clip, seconds);
      if (clip.video.readyState > 0 && Math.abs(clip.video.currentTime - wanted) > 1e-4) clip.video.currentTime = wanted;
    };
    const show = () => moving.forEach((clip) => put(clip, moment));
    const tell = () => changed({ moment, length, playing, step: stepAt(moment), steps, frames: clips.map((clip) => (clip.frames ? frameAt(clip, moment) : 0)) });

    const start = (clip, seconds) => {
      clip.video.currentTime = seconds;
      clip.video.play().catch((error) => {
        if (error.name !== "NotAllowedError" || clip.video.muted) return; // else it was paused before it began
        clip.video.muted = true;
        clip.video.play().catch(() => {});
      });
    };
    const follow = (clip) => {
      const { video } = clip, end = lasts(clip);
      if (moment >= end - 0.5 / clip.fps) {
        if (!video.paused) video.pause();
        return put(clip, end);
      }
      if (video.paused) return start(clip, moment);
      const apart = moment - video.currentTime;
      if (Math.abs(apart) > JUMP) video.currentTime = moment;
      video.playbackRate = rate * (Math.abs(apart) < LATE ? 1 : 1 + Math.max(-0.2, Math.min(0.2, apart * 2)));
    };
    // A clip waits for the other one while that is loading.
    const stalled = () => moving.some((clip) => clip.video.readyState < ENOUGH && moment < lasts(clip) - 1 / clip.fps && !clip.video.ended);
    const tick = () => {
      if (!playing || ended) return;
      timer = requestAnimationFrame(tick);
      if (!leader.video.isConnected) return pause();
      if (stalled()) return moving.forEach(({ video }) => video.pause());
      const at = leader.video;
      if (!at.paused || at.ended) moment = Math.min(length, at.currentTime);
      if (at.ended || moment >= length - 0.25 / finest) {
        moment = 0;
        moving.forEach((clip) => start(clip, 0));
        return tell();
      }
      if (at.paused) start(leader, moment);
      for (const clip of moving) if (clip !== leader) follow(clip);
      tell();
    };

    const play = () => {
      if (!leader || playing) return;
      playing = true;
      if (stepAt(moment) === steps - 1) moment = 0;
      for (const { video } of moving) video.playbackRate = rate;
      for (const clip of moving) if (moment < lasts(clip) - 0.5 / clip.fps) start(clip, moment);
      cancelAnimationFrame(timer);
      timer = requestAnimationFrame(tick);
      tell();
    };
    const pause = () => {
      cancelAnimationFrame(timer);
      const was = playing;
      playing = false;
      moving.forEach(({ video }) => video.pause());
      if (was) moment = stepAt(moment) / finest;
      show();
      tell();
    };
    const seek = (seconds) => {
      moment = stepAt(Math.min(length, Math.max(0, seconds))) / finest;
      if (playing) {
        for (const clip of moving) {
          if (moment < lasts(clip) - 0.5 / clip.fps) clip.video.currentTime = moment;
          else put(clip, moment);
        }
      } else show();
      tell();
    };
    return {
      length, steps,
      play, pause, seek,
      toggle: () => (playing ? pause() : play()),
      step: (by) => {
        pause();
        seek((stepAt(moment) + by) / finest);
      },
      to: (step) => seek(step / finest),
      jump: (seconds) => seek(moment + seconds),
      speed: (factor) => {
        rate = factor;
        for (const { video } of moving) video.playbackRate = factor;
      },
      // A video has its data, or a new address.
      ready: () => (playing ? undefined : show()),
      close: () => {
        ended = true;
        cancelAnimationFrame(timer);
        moving.forEach(({ video }) => video.pause());
      },
    };
  };
})();
