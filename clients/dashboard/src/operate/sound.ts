// SPDX-License-Identifier: Apache-2.0
/* Two tones: up when all passed, down when not, one low one for a scan that was refused. Off unless asked for. */
import { signal } from "@preact/signals";

const KEY = "flashfarm.sound";
const TONE_S = 0.16;

const tones = { passed: [660, 990], failed: [440, 220], refused: [220] } as const;

export const soundOn = signal(localStorage.getItem(KEY) === "on");

let context: AudioContext | null = null;

function play(audio: AudioContext, hertz: number, at: number): void {
  const oscillator = audio.createOscillator();
  const gain = audio.createGain();
  oscillator.frequency.value = hertz;
  gain.gain.setValueAtTime(0.25, at);
  gain.gain.exponentialRampToValueAtTime(0.001, at + TONE_S);
  oscillator.connect(gain).connect(audio.destination);
  oscillator.start(at);
  oscillator.stop(at + TONE_S);
}

export function sound(which: keyof typeof tones): void {
  if (!soundOn.value) return;
  context ??= new AudioContext();
  void context.resume();
  const now = context.currentTime;
  tones[which].forEach((hertz, index) => context && play(context, hertz, now + index * TONE_S));
}

export function toggleSound(): void {
  soundOn.value = !soundOn.value;
  localStorage.setItem(KEY, soundOn.value ? "on" : "off");
  sound("passed");
}
