// A host whose schedule has just called, and that is told to end: functions/fetch/ as Deno and Bun use it, whose own schedules come by the minute.
import { exit, signal, tick } from "../../../functions/fetch/app.ts";

signal.addEventListener("abort", () => void exit());
void tick();
