import { upstash } from "../../src/redis/upstash-edge.ts";
import { testUpstash } from "./upstash-suite.ts";

testUpstash(upstash);
