import { BodyTooLargeError } from "./read-body.ts";

/** A command read from a request: its name first, at least that. */
export type GatewayCommand = readonly [string | Uint8Array, ...(string | Uint8Array)[]];

/** A request that is not what the endpoint takes. The message is the error text of the reply. */
export class RequestSyntaxError extends Error {}

/** With more of these in one request, all others wait for seconds, and memory runs out: 10 MB hold 1.7 million commands, which took 3 GB. */
export const MAX_COMMANDS = 20_000;
export const MAX_WORDS = 500_000;

/** `["SET","key","value"]` */
export function parseCommand(body: string): GatewayCommand {
  const { value, reread } = parseJson(body, "command");
  checkSize(1, Array.isArray(value) ? value.length : 0);
  return toCommand(value, reread);
}

/** `[["SET","key","value"],["GET","key"]]` */
export function parseCommands(body: string): GatewayCommand[] {
  const { value, reread } = parseJson(body, "pipeline");
  if (!Array.isArray(value))
    throw new RequestSyntaxError("ERR failed to parse pipeline request: expected an array of commands");
  if (value.length === 0) throw new RequestSyntaxError("ERR empty pipeline request");
  const words = value.reduce<number>((sum, item: unknown) => sum + (Array.isArray(item) ? item.length : 0), 0);
  checkSize(value.length, words);
  return value.map((item: unknown, index) => toCommand(item, () => (reread() as unknown[])[index]));
}

/** `/set/key` with `EX=10` as query and a value as body: the body comes after the path, the query after that. */
export function parsePath(pathname: string, query: string, body: Uint8Array | undefined): GatewayCommand {
  const segments = pathname.split("/").slice(1);
  // One slash at the end is no argument; Redis takes an empty one, so a second slash is.
  if (segments.at(-1) === "") segments.pop();
  const [name, ...args] = segments.map(decodeSegment);
  if (name === undefined || name.length === 0) throw new RequestSyntaxError("ERR empty command");
  const options: (string | Uint8Array)[] = [];
  for (const pair of query === "" ? [] : query.split("&")) {
    const equals = pair.indexOf("=");
    const option = equals === -1 ? pair : pair.slice(0, equals);
    if (option === "_token" || option === "") continue;
    options.push(decodeSegment(option.replaceAll("+", " ")));
    if (equals !== -1 && equals < pair.length - 1)
      options.push(decodeSegment(pair.slice(equals + 1).replaceAll("+", " ")));
  }
  return body === undefined || body.length === 0 ? [name, ...args, ...options] : [name, ...args, body, ...options];
}

function checkSize(commands: number, words: number): void {
  if (commands > MAX_COMMANDS) {
    throw new BodyTooLargeError(`ERR max number of commands exceeded. Limit: ${MAX_COMMANDS}, got ${commands}`);
  }
  if (words > MAX_WORDS) {
    throw new BodyTooLargeError(`ERR max number of arguments exceeded. Limit: ${MAX_WORDS}, got ${words}`);
  }
}

/** Numbers are sent to Redis with the digits that they were written with, so beyond 2^53 the text is read a second time, but no third. */
function parseJson(body: string, what: string): { value: unknown; reread: () => unknown } {
  const parse = (reviver?: typeof keepSource): unknown => {
    try {
      return JSON.parse(body, reviver);
    } catch (error) {
      // A reviver is called by a function that calls itself.
      const problem = error instanceof RangeError ? "is nested too deeply" : "is not JSON";
      throw new RequestSyntaxError(`ERR failed to parse ${what}: the body ${problem}`);
    }
  };
  let again: { readonly value: unknown } | undefined;
  return {
    value: parse(),
    reread() {
      again ??= { value: parse(keepSource) };
      return again.value;
    },
  };
}

function keepSource(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === "number" ? (context?.source ?? String(value)) : value;
}

function toCommand(value: unknown, reread: () => unknown): GatewayCommand {
  if (!Array.isArray(value) || value.length === 0) {
    throw new RequestSyntaxError("ERR failed to parse command: expected an array of a name and its arguments");
  }
  for (let index = 0; index < value.length; index++) {
    const arg: unknown = value[index];
    if (typeof arg === "string") continue;
    if (typeof arg === "number") {
      if (!Number.isSafeInteger(arg)) return toCommand(reread(), reread);
      value[index] = String(arg);
    } else if (typeof arg === "boolean") value[index] = String(arg);
    else
      throw new RequestSyntaxError(
        `ERR failed to parse command: argument ${index} is ${arg === null ? "null" : "an object"}`,
      );
  }
  return value as unknown as GatewayCommand; // checked above: strings alone, at least one
}

function decodeSegment(segment: string): string | Uint8Array {
  if (!segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    // Percent-encoded bytes that are not UTF-8 are a binary argument.
    const latin1 = Buffer.from(segment, "utf8").toString("latin1");
    return Buffer.from(
      latin1.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
      "latin1",
    );
  }
}
