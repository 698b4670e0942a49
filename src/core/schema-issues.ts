import type { StandardSchemaV1 } from "@standard-schema/spec";

type Issue = StandardSchemaV1.Issue;

const MAX_ISSUES = 5;
const MAX_TEXT_CHARS = 200;

/** `args[1].email: Invalid email: Received a string; args[2]: …`, and the first of these paths, as `[1].email`. */
export function describeIssues(
  issues: readonly Issue[],
  args: unknown,
): { readonly path: string; readonly text: string } {
  const told = issues.slice(0, MAX_ISSUES).map(({ message, path = [] }) => {
    const keys = path.map((segment) => (typeof segment === "object" ? segment.key : segment));
    return { path: keys.map(formatKey).join(""), message: withoutValue(String(message), valueAt(args, keys)) };
  });
  const more = issues.length > told.length ? `; and ${issues.length - told.length} more` : "";
  const text = told.map(({ path, message }) => `args${path}: ${cut(message)}`).join("; ");
  return { path: told[0]?.path ?? "", text: (text || "args: refused by the schema") + more };
}

function formatKey(key: PropertyKey): string {
  const name = String(key);
  if (/^\d+$/.test(name)) return `[${name}]`;
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${cut(name)}` : `[${JSON.stringify(cut(name))}]`;
}

function valueAt(args: unknown, keys: readonly PropertyKey[]): unknown {
  return keys.reduce((value, key) => Object(value)[key], args);
}

/** Libraries quote what they refuse. A job's arguments belong in no log, so in the value's place stands its type. */
function withoutValue(message: string, value: unknown): string {
  if (!["string", "number", "bigint", "boolean"].includes(typeof value)) return message;
  const type = `a ${typeof value}`;
  const text = String(value);
  if (typeof value !== "string")
    return message.replace(new RegExp(`(?<![\\w.])${text.replace(/\W/g, "\\$&")}(?![\\w.])`, "g"), type);
  const forms = [JSON.stringify(text), `'${text}'`, `\`${text}\``, ...(text.length >= MIN_BARE_CHARS ? [text] : [])];
  return forms.reduce((masked, form) => masked.replaceAll(form, type), message);
}

/** A shorter text may as well be a part of the library's own words. */
const MIN_BARE_CHARS = 4;

function cut(text: string): string {
  return text.length <= MAX_TEXT_CHARS ? text : `${text.slice(0, MAX_TEXT_CHARS)}…`;
}
