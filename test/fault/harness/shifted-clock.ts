/**
 * Preloaded (`node --import …/shifted-clock.ts`) into a process that is to take the time of day for another: `Date` is shifted as
 * {@link CLOCK_VARIABLE} says; timers and monotonic clocks stay right, as on a machine whose clock was set wrong.
 */
import { CLOCK_VARIABLE, type ClockShift, shiftedMs } from "./clock-shift.ts";

const shift = JSON.parse(process.env[CLOCK_VARIABLE] ?? "{}") as ClockShift;
const RealDate = Date;
const sinceMs = RealDate.now();
const nowMs = (): number => Math.floor(shiftedMs(shift, RealDate.now(), sinceMs));

const ShiftedDate = new Proxy(RealDate, {
  construct: (target, args: [], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [nowMs()] : args, newTarget),
  apply: () => new RealDate(nowMs()).toString(),
  get: (target, name, receiver) => (name === "now" ? nowMs : Reflect.get(target, name, receiver)),
});
globalThis.Date = ShiftedDate;
