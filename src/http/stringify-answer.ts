type RawJson = { rawJSON(text: string): unknown };
const { rawJSON } = JSON as unknown as RawJson;

/** JSON of what came from payloads: integers of any size as they were, and null for numbers that JavaScript cannot hold. */
export function stringifyAnswer(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === "bigint" ? rawJSON(String(member)) : member,
  );
}
