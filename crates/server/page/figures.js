// How figures read. A dash stands for what is not known.

export const DASH = "–";
const grouped = new Intl.NumberFormat("en-US");

export const count = (number) => number === null || number === undefined ? DASH : grouped.format(Math.round(number));

export function bytes(number) {
  if (number === null || number === undefined) return DASH;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  let left = number;
  while (left >= 1024 && at < units.length - 1) { left /= 1024; at += 1; }
  return (at === 0 ? Math.round(left) : left.toFixed(1)) + " " + units[at];
}

export const percent = (share) => share === null || share === undefined ? DASH : Math.round(share * 100) + " %";

export const rate = (number) => number === null || number === undefined ? DASH : number >= 100 ? count(number) : number.toFixed(1);

export function micros(number) {
  if (number === null || number === undefined) return DASH;
  return number < 1000 ? Math.round(number) + " µs" : number < 1e6 ? (number / 1000).toFixed(1) + " ms" : (number / 1e6).toFixed(2) + " s";
}

// A time in seconds.
export function time(seconds) {
  if (seconds === null || seconds === undefined) return DASH;
  if (seconds < 1) return Math.round(seconds * 1000) + " ms";
  if (seconds < 60) return seconds.toFixed(1) + " s";
  const whole = Math.floor(seconds);
  if (whole < 3600) return Math.floor(whole / 60) + " m " + (whole % 60) + " s";
  if (whole < 172800) return Math.floor(whole / 3600) + " h " + (Math.floor(whole / 60) % 60) + " m";
  return Math.floor(whole / 86400) + " d " + (Math.floor(whole / 3600) % 24) + " h";
}

export const ago = (ms) => ms ? time(Math.max(0, Date.now() - ms) / 1000) + " ago" : DASH;

export const clock = (ms) => new Date(ms).toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" });

export const interval = (one) => !one ? DASH : one.low === one.high ? "exact" : bytes(one.low) + " to " + bytes(one.high);
