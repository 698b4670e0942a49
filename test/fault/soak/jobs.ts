import { createRandom } from "../harness/random.ts";
import {
  type Ending,
  type Producer,
  plainArguments,
  type RawProducer,
  rawPayload,
  SOAK_QUEUES,
  type SoakQueue,
} from "./payload-bytes.ts";
import { planOf } from "./soak-job.ts";

/** A job of the soak: who puts what into which queue, and how it must end. */
export interface SoakJob {
  readonly id: number;
  readonly queue: SoakQueue;
  readonly producer: Producer;
  readonly bytes: Buffer;
  readonly ending: Ending;
}

/** How many of a hundred jobs each producer makes. */
const SHARES: Readonly<Record<Producer, number>> = {
  ...{ "node-resque": 20, airlift: 10, "airlift-http": 20, "airlift-cli": 15 },
  ...{ ruby: 12, php: 8, go: 8, odd: 5, "no-job": 2 },
};

/** Integers that JavaScript's numbers would round, and keys that it would put in order. */
const EXACT = (id: number): string => `{"class":"SoakJob","args":["#${id}#",12345678901234567890,-9007199254740993]}`;

/** The jobs of a seed, numbered from 1. */
export function makeJobs(seed: number, count: number): SoakJob[] {
  return Array.from({ length: count }, (_, index) => makeJob(seed, index + 1));
}

function makeJob(seed: number, id: number): SoakJob {
  const random = createRandom(seed, "producer", id);
  let share = random.whole(0, 99);
  const producer = (Object.keys(SHARES) as Producer[]).find((name) => {
    share -= SHARES[name];
    return share < 0;
  }) as Producer;
  const queue = random.pick(SOAK_QUEUES);
  const planned: Ending = planOf(seed, id).fails ? "failed" : "done";
  switch (producer) {
    case "node-resque":
    case "airlift":
    case "airlift-http":
    case "airlift-cli": {
      const args = plainArguments(id, random);
      const members = { class: "SoakJob", ...(producer === "node-resque" && { queue }), args };
      const isExact = (producer === "airlift-http" || producer === "airlift-cli") && random.chance(0.2);
      const text = isExact ? EXACT(id) : JSON.stringify(members);
      return { id, queue, producer, bytes: Buffer.from(text), ending: planned };
    }
    default: {
      const { bytes, ending = planned } = rawPayload(producer satisfies RawProducer, id, random);
      return { id, queue, producer, bytes, ending };
    }
  }
}
