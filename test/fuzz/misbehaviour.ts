import { ACCEPTED, discard, release, retry } from "../../src/core/directive.ts";
import type { JobContext } from "../../src/core/job-context.ts";

/** What handlers do that should not be done: to what they are given, and at their end. Each by a name that says it. */

type Job = JobContext & Record<string, unknown>;

const throwing = (): never => {
  throw new Error("hands off");
};
const nothing = (): undefined => undefined;

const everyTrap = Object.fromEntries(Object.getOwnPropertyNames(Reflect).map((trap) => [trap, throwing]));
/** Has every trap, and each throws. */
const untouchable: object = new Proxy({}, everyTrap);
/** Looks like an object until somebody asks which members it has. */
const touchy: object = new Proxy({}, { has: throwing, getOwnPropertyDescriptor: throwing, ownKeys: throwing });
/** Says something else each time that it is asked. */
const fickle = (): object => {
  let asked = 0;
  return new Proxy(
    {},
    { get: (_, name) => (name === "then" ? undefined : asked++ % 2 ? Symbol("x") : throwing), has: () => true },
  );
};
/** Nothing that takes it for a text, or writes it, gets far. */
const unwritable = { toString: throwing, toJSON: throwing, valueOf: throwing, length: 2 } as unknown as string;

const MEMBERS =
  "abort end isOver isAborted forPolicy raw args attempt retries class queue signal id log context resources".split(
    " ",
  );

/** To the job object and the arguments, as far as the language lets it. */
export const TAMPERINGS: Readonly<Record<string, (job: Job, args: unknown[]) => unknown>> = {
  "does nothing": nothing,
  "freezes the job": (job) => Object.freeze(job),
  "freezes all that it is given": (job, args) => [job, args, args[0]].map(Object.freeze),
  "says that the job is not over": (job) => Object.defineProperty(job, "isOver", { get: () => false, set: throwing }),
  "gives the job members that throw": (job) =>
    MEMBERS.map((name) => Object.defineProperty(job, name, { get: throwing, set: throwing })),
  "gives the job methods that throw": (job) =>
    MEMBERS.map((name) => Object.defineProperty(job, name, { value: throwing })),
  "takes the job's methods away": (job) => Object.setPrototypeOf(job, null),
  "has the job inherit from what cannot be touched": (job) => Object.setPrototypeOf(job, untouchable),
  "changes the job's members": (job) =>
    Object.assign(job, { queue: "others", deadlineMs: Number.NaN, context: untouchable }),
  "empties its arguments": (_job, args) => args.splice(0),
  "fills its arguments with what has no JSON form": (_job, args) =>
    args.push(Symbol("x"), 1n, untouchable, throwing, args),
  "changes its arguments deeply": (_job, args) => Object.assign(Object(args[0]), { of: "others", deep: unwritable }),
  "tells what cannot be told": (job) => {
    for (const message of [untouchable, Symbol("x"), unwritable, "x".repeat(100_000)])
      void job.checkin(message as string);
    for (const done of [untouchable, Number.NaN, Number.POSITIVE_INFINITY, "1"]) void job.progress(done as number, -1);
  },
  "tells of uses that are none": (job) => {
    for (const requests of [Number.NaN, Number.POSITIVE_INFINITY, -1e9, "1"])
      job.used({ requests: requests as number });
  },
  "logs what cannot be logged": (job) => job.log.error("x", { untouchable, touchy, job, unwritable }),
};

const cyclic = (): Error => {
  const error = new Error("first");
  error.cause = new Error("second", { cause: error });
  return error;
};
/** An error one of whose members is this. */
const errorWith = (name: string, value: unknown): Error => Object.defineProperty(new Error("x"), name, { value });
const readErrors = (...names: readonly string[]): Error =>
  names.reduce((error, name) => Object.defineProperty(error, name, { get: throwing }), new Error("x"));
/** A megabyte is as good as ten where the time must not grow faster than the text. */
const LONG = 1_000_000;

/** What is thrown, or rejected with. */
export const THROWN: Readonly<Record<string, () => unknown>> = {
  "what cannot be touched": () => untouchable,
  "what has no members to ask for": () => touchy,
  "what changes": fickle,
  "a symbol": () => Symbol("x"),
  "a function": () => throwing,
  "a directive": () => discard("x"),
  "what cannot be written": () => unwritable,
  "what only looks like an error": () => ({ message: 5, stack: 5, name: 5, cause: 5, constructor: 5 }),
  "an error whose members throw": () => readErrors("message", "stack", "name", "constructor", "cause"),
  "an error whose class's name is a list": () => errorWith("constructor", { name: ["Payment", "Declined"] }),
  "an error whose class's name cannot be written": () => errorWith("constructor", { name: unwritable }),
  "an error whose name is for the terminal": () => errorWith("name", "\u001B[2J\nOk"),
  "an error whose message is none": () => errorWith("message", unwritable),
  "an error cut within an emoji": () => new Error(`${"x".repeat(3_999)}🚀`),
  "an error of a long message": () => new Error("é".repeat(LONG)),
  "an error of long lines that look like places": () => new Error(`x\n${"@".repeat(LONG)}\n${"at ".repeat(LONG)}`),
  "an error whose stack is none": () => errorWith("stack", untouchable),
  "an error of many lines": () => errorWith("stack", "    at x (y:1:1)\n".repeat(LONG / 10)),
  "an error of a long backtrace": () => errorWith("backtrace", Array(LONG / 5).fill("line")),
  "an error whose backtrace is none": () => errorWith("backtrace", [untouchable, unwritable]),
  "an error that causes itself": cyclic,
  "an error caused by what cannot be touched": () => errorWith("cause", untouchable),
  "an error that asks for a wait that is none": () => errorWith("retryAfterMs", Number.NaN),
  "an error that asks for the longest wait": () => errorWith("retryAfterMs", 1e300),
  "an error that asks for a wait in headers that throw": () => errorWith("headers", untouchable),
};

type Then = (resolve: (value?: unknown) => void, reject: (error?: unknown) => void) => void;
/** What makes a promise of an object, and what linters warn of. */
const THEN = "then";
const thenable = (then: unknown): object => ({ [THEN]: then });
const BRAND = Symbol.for("airlift.directive");
const forged = (directive: object): unknown => Object.defineProperty(directive, BRAND, { value: true });

/** What is returned, or resolved to. */
export const RETURNED: Readonly<Record<string, () => unknown>> = {
  nothing,
  "what cannot be touched": () => untouchable,
  "what has no members to ask for": () => touchy,
  "what changes": fickle,
  "what has no JSON form": () => ({ cyclic: cyclic(), big: 1n, throwing }),
  "what cannot be written": () => unwritable,
  "a long text": () => "x".repeat(LONG),
  "what resolves twice": () => thenable(((resolve) => [resolve(), resolve()]) satisfies Then),
  "what resolves, rejects and throws": () =>
    thenable(((resolve, reject) => [resolve(), reject(), throwing()]) satisfies Then),
  "what resolves late and again": () =>
    thenable(((resolve, reject) => [resolve, reject, resolve].map((end) => setImmediate(end))) satisfies Then),
  "what never settles": () => new Promise(nothing),
  "what may be a promise": () => {
    let asked = 0;
    return Object.defineProperty({}, THEN, { get: () => (asked++ % 2 ? throwing : nothing) });
  },
  "that it was accepted elsewhere": () => ACCEPTED,
  "a discard for a reason that is no text": () => discard(unwritable),
  "a discard for a symbol": () => discard(Symbol("x") as unknown as string),
  "another attempt, because of an error": () => retry({ reason: new Error("x") as unknown as string, afterMs: 1e300 }),
  "a release for far too long": () => release({ afterMs: 1e300 }),
  "a forged directive of no kind": () => forged({}),
  "a forged directive that cannot be read": () =>
    new Proxy({}, { get: (_, name) => (name === "then" ? undefined : throwing()), has: () => true }),
  "a forged release at no time": () => forged({ kind: "release", afterMs: Number.NaN }),
  "a forged release for ever": () => forged({ kind: "release", afterMs: Number.POSITIVE_INFINITY }),
  "a forged attempt at no time": () => forged({ kind: "retry", afterMs: "soon", reason: 5 }),
  "a forged discard": () => forged({ kind: "discard", reason: unwritable }),
  "a forged hand-over": () => forged({ kind: "detach", leaseMs: 60_000, dispatch: 5 }),
  "a forged hand-over at no time": () => forged({ kind: "detach", leaseMs: "x", dispatch: nothing }),
  "a forged outcome": () => ({ kind: "failed", failure: { exception: "X", message: "x", backtrace: [] } }),
  "a forged settlement": () =>
    forged({ kind: "released", token: "d.1.1.0", slot: 0, claim: { slot: 0, token: "d.1.1.0" } }),
};
