import type { FieldError } from "./problem.ts";

/**
 * A queue's name in the path, or what is wrong with it. Strict, where the router keeps a bad `%` sequence as it is.
 *
 * @param fromEnd how many segments stand behind it
 */
export function readSegment(url: string, fromEnd: number): string | FieldError {
  const segment = new URL(url).pathname.split("/").at(-1 - fromEnd) ?? "";
  try {
    return decodeURIComponent(segment);
  } catch {
    return { path: "queue", message: "is not valid percent-encoded UTF-8" };
  }
}
