import type { Airlift } from "../airlift.ts";
import { UsageError } from "../core/errors.ts";
import { type ShowOptions, show } from "./show.ts";
import { toLine } from "./terminal-text.ts";

/** Options of `airlift pause` and `airlift resume`. */
export interface PauseOptions extends ShowOptions {
  readonly queue?: string;
  readonly class?: string;
}

/** Pauses or resumes, and prints what is paused then. */
export async function runPause(change: "pause" | "resume", options: PauseOptions): Promise<void> {
  const { queue, class: className } = options;
  if (queue !== undefined && className !== undefined)
    throw new UsageError(`${change}: expected --queue or --class, got both`);
  const target = { ...(queue !== undefined && { queue }), ...(className !== undefined && { class: className }) };
  const work = async (airlift: Airlift) => {
    await airlift[change](target);
    return await airlift.paused();
  };
  await show(options, work, ({ everything, queues, classes }) => {
    const parts = [
      ...(everything ? ["everything"] : []),
      ...(queues.length > 0 ? [`queues ${queues.join(", ")}`] : []),
      ...(classes.length > 0 ? [`classes ${classes.join(", ")}`] : []),
    ];
    return toLine(`paused now: ${parts.join("; ") || "nothing"}`);
  });
}
