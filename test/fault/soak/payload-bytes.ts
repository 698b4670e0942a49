import type { Random } from "../harness/random.ts";

/** Names of queues, one that must be escaped in addresses among them. */
export const SOAK_QUEUES = ["critical", "mail", "img-resize", "img-größe"] as const;
export type SoakQueue = (typeof SOAK_QUEUES)[number];

/** The classes that the drains know. */
export const SOAK_CLASSES = ["SoakJob", "Soak::RubyJob", "Soak\\PhpJob", "GoJob"] as const;

/** Who has put a job into its queue. */
export const PRODUCERS = [
  "node-resque",
  "airlift",
  "airlift-http",
  "airlift-cli",
  "ruby",
  "php",
  "go",
  "odd",
  "no-job",
] as const;
export type Producer = (typeof PRODUCERS)[number];
/** Those whose bytes are written here, as their languages' encoders write them. */
export type RawProducer = "ruby" | "php" | "go" | "odd" | "no-job";

/** How a job ends if nothing is broken. */
export type Ending = "done" | "failed" | "unknown-class" | "malformed";

/** Arguments that JSON carries unchanged through JavaScript. The job's number comes first. */
export function plainArguments(id: number, random: Random): unknown[] {
  const variants: readonly (() => unknown[])[] = [
    () => [],
    () => [{ "10": "a", "9": "b", "-1": [], nested: { empty: {}, list: [[], [[]]] } }],
    () => ["<&>", "\u2028\u2029", "é漢🚀", 'a"b\\c/d\n\t\u0000'],
    () => [null, true, false, 0, -1, 1.5, 9_007_199_254_740_991],
    () => ["x".repeat(random.whole(1_000, 20_000))],
  ];
  // Long ones are rare.
  const variant = random.chance(0.02) ? 4 : random.whole(0, 3);
  return [`#${id}#`, ...(variants[variant] as () => unknown[])()];
}

/** Payloads as other languages' encoders write them, which JavaScript's would not. */
const FORMS: Readonly<Record<Exclude<RawProducer, "no-job">, readonly ((id: number) => string)[]>> = {
  ruby: [
    (id) => `{"class":"Soak::RubyJob","args":["#${id}#",1.0,1.0e+20,[],{},12345678901234567890,-0.0]}`,
    (id) => `{"class":"Soak::RubyJob","args":["#${id}#","<&>/","raw \u2028\u2029","é漢🚀",null]}`,
    (id) => `{"class":"Soak::RubyJob","args":[{"id":"#${id}#","10":1,"9":2,"a":{"b":[]}}],"queue_time":1732128657.25}`,
  ],
  php: [
    (id) =>
      `{"class":"Soak\\\\PhpJob","args":[{"id":"#${id}#","path":"a\\/b","u":"\\u00e9\\u6f22\\ud83d\\ude80"}],"id":"${hex(id)}","prefix":"","queue_time":1732128657.1234}`,
    (id) => `{"class":"Soak\\\\PhpJob","args":[["#${id}#",[],1.0]],"id":"${hex(id)}"}`,
  ],
  go: [
    (id) => `{"class":"GoJob","args":["#${id}#","\\u003c\\u0026\\u003e","\\u2028",1e+21,1.5]}`,
    (id) => `{"class":"GoJob","args":["#${id}#",18446744073709551615,{"":null}]}\n`,
  ],
  odd: [
    (id) => ` { "args" : [ "#${id}#" ,\t[ ] ] ,\r\n "class" : "SoakJob" }  `,
    (id) => `{"args":["#${id}#","half \\ud83d"],"retry":{"x":[1.0]},"class":"SoakJob","jid":"${hex(id)}"}`,
    (id) => `{"class":"SoakJob","args":["#${id}#",",\\"payload\\":{},\\"exception\\":","\uFFFD"]}`,
    (id) => `{"class":"SoakJob","args":["#${id}#",${"[".repeat(60)}${"]".repeat(60)}]}`,
  ],
};

const NO_JOBS: readonly ((id: number) => Buffer)[] = [
  (id) => Buffer.from(`not json #${id}#`),
  (id) => Buffer.from(`{broken #${id}#}`),
  (id) => Buffer.from(`["#${id}#"]`),
  (id) => Buffer.from(`{"class":1,"args":["#${id}#"]}`),
  (id) => Buffer.from(`{"class":"SoakJob","args":["#${id}# \xff\xfe"]}`, "latin1"),
];

/** The bytes of a job that a program in another language pushes, and how it must end beside what its plan says. */
export function rawPayload(
  producer: RawProducer,
  id: number,
  random: Random,
): { readonly bytes: Buffer; readonly ending?: Ending } {
  if (producer !== "no-job") return { bytes: Buffer.from(random.pick(FORMS[producer])(id)) };
  if (random.chance(0.3)) {
    return { bytes: Buffer.from(`{"class":"Nobody::Knows","args":["#${id}#",1.0]}`), ending: "unknown-class" };
  }
  return { bytes: random.pick(NO_JOBS)(id), ending: "malformed" };
}

function hex(id: number): string {
  return id.toString(16).padStart(32, "0");
}
