/** Reads a counter of Resque's. One that is none counts nothing. */
export function readCount(text: string | null | undefined): number {
  return typeof text === "string" && /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
