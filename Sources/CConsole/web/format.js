import { texts } from "./texts.js";

const units = ["B", "KB", "MB", "GB", "TB", "PB"];

/** Bytes in powers of 1,000, as disks are sold: three digits. */
export function bytes(count) {
  if (count === null || count === undefined) return "–";
  let value = count, unit = 0;
  while (value >= 999.5 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return unit === 0 ? `${value} B` : `${value.toLocaleString("en", { maximumSignificantDigits: 3 })} ${units[unit]}`;
}

export const number = (value) => (value ?? 0).toLocaleString("en");

const sameYear = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false });
const otherYear = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric" });
const exact = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium", hour12: false });

/** A time as a list shows it. Formatters are slow, and lists ask for the same times again and again. */
const known = new Map();
export function when(text) {
  if (!text) return "–";
  let result = known.get(text);
  if (result === undefined) {
    const date = new Date(text);
    result = (date.getFullYear() === new Date().getFullYear() ? sameYear : otherYear).format(date);
    if (known.size > 5000) known.clear();
    known.set(text, result);
  }
  return result;
}

export const exactly = (text) => (text ? exact.format(new Date(text)) : "–");

export function ago(text) {
  if (!text) return texts.time.never;
  const seconds = (Date.now() - new Date(text)) / 1000;
  if (seconds < 5) return texts.time.now;
  for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]]) {
    if (seconds >= length) return texts.time.ago(Math.floor(seconds / length), unit);
  }
  return texts.time.now;
}

export function span(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

export function microseconds(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size < 1000) return `${Math.round(value)} µs`;
  return size < 1e6 ? `${(value / 1000).toFixed(2)} ms` : `${(value / 1e6).toFixed(2)} s`;
}

export * from "./names.js";
