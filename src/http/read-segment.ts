import type { FieldError } from "./problem.ts";

/**
 * A queue's name in the path, or what is wrong with it. Strict, where the router keeps a bad `%` sequence as it is. The path is taken as the router
 * takes it: a URL of its own would be without segments that are `.` or `..`, as Deno passes them on, and another one would stand in the place.
 *
 * @param fromEnd how many segments stand behind it
 */
export function readSegment(url: string, fromEnd: number): string | FieldError {
  const path = url.split(/[?#]/, 1)[0] as string;
  const segment = path.split("/").at(-1 - fromEnd) ?? "";
  try {
    return decodeURIComponent(segment);
  } catch {
    return { path: "queue", message: "is not valid percent-encoded UTF-8" };
  }
}
