// Codes of texts of many lengths, for run.py to read with a decoder that is not ours.
import { qr } from "../../Sources/CConsole/web/qr.js";

const texts = [1, 10, 14, 15, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412, 450, 504, 560, 624, 666].map((length) =>
  Array.from({ length }, (_, at) => "pando-0123456789_ABCDEFxyz"[(at * 7 + length) % 26]).join(""));
console.log(JSON.stringify(texts.map((text) => ({ text, rows: qr(text).map((row) => row.map(Number).join("")) }))));
let isRefused = false;
try { qr("x".repeat(667)); } catch { isRefused = true; }
if (!isRefused) process.exit(1);
