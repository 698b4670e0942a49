import { parseJson } from "../core/json.ts";
import { RemoteJobError } from "../core/remote-job-error.ts";

/** What `Invoke` answers, as far as it is read. */
export interface Invocation {
  readonly FunctionError?: string | undefined;
  readonly Payload?: Uint8Array | undefined;
}

/**
 * What the function returned.
 *
 * @throws RemoteJobError if it threw, ran out of time or memory, or could not be started
 */
export function readInvocation({ FunctionError: kind, Payload }: Invocation): unknown {
  const text = Payload ? new TextDecoder().decode(Payload) : "";
  const value = parse(text);
  if (kind === undefined) return value;
  const { errorType, errorMessage, stackTrace, trace } = Object(value) as Record<string, unknown>;
  const message = typeof errorMessage === "string" ? errorMessage : text;
  const exception = typeof errorType === "string" && errorType !== "" ? errorType : nameOf(kind, message);
  const backtrace = lines(stackTrace ?? trace);
  // Node's begins with the message.
  const repeats = backtrace[0] === `${exception}: ${message.split("\n", 1)[0]}`;
  throw new RemoteJobError({ exception, message, backtrace: repeats ? backtrace.slice(1) : backtrace });
}

function parse(text: string): unknown {
  try {
    return text === "" ? undefined : parseJson(text);
  } catch {
    // A custom runtime may answer anything.
    return text;
  }
}

/** Some of Lambda's own errors have no type: the name that newer ones have. */
function nameOf(kind: string, message: string): string {
  return /Task timed out after/.test(message) ? "Sandbox.Timedout" : `Lambda.${kind}`;
}

/** A list of lines in most runtimes; Python's are several each, Java's and .NET's may be one text. */
function lines(trace: unknown): readonly string[] {
  const texts = Array.isArray(trace)
    ? trace.map((each) => (typeof each === "string" ? each : JSON.stringify(each)))
    : typeof trace === "string"
      ? [trace]
      : [];
  return texts
    .flatMap((text) => text.split("\n"))
    .map((line) => line.trimEnd())
    .filter((line) => line.trim() !== "");
}
